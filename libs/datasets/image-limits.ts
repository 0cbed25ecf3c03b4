import { ResimError } from '#libs/core';
import type { HeaderResult, ImageHeader } from './image-header.js';

/** More pixels than a 48-megapixel camera gives is an attack or a mistake: 150 MB decoded. */
export const MAX_PIXELS = 50_000_000;
/** Largest file that is read. */
export const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** `INVALID_ARGUMENT` for one image; the message begins with where it came from. */
export function unreadableImage(source: string, reason: string, cause?: unknown): ResimError {
  return new ResimError('INVALID_ARGUMENT', `${source}: ${reason}`, {
    reason: 'IMAGE_UNREADABLE',
    metadata: { source, problem: reason },
    cause,
  });
}

/** What is wrong with an image of this header, or null. */
export function headerProblem(header: HeaderResult): string | null {
  if (header === 'unknown') return 'neither a JPEG nor a PNG nor a WebP image';
  if (header === 'more') return 'ends inside its header';
  const { width, height } = header;
  if (width < 1 || height < 1) return `has no pixels (${width} x ${height})`;
  if (width * height > MAX_PIXELS) {
    return `is ${width} x ${height} pixels, more than the limit of ${MAX_PIXELS / 1e6} megapixels`;
  }
  return null;
}

/** @throws ResimError INVALID_ARGUMENT when the header is none, or names more pixels than the limit */
export function checkedHeader(source: string, header: HeaderResult): ImageHeader {
  const problem = headerProblem(header);
  if (problem !== null) throw unreadableImage(source, problem);
  return header as ImageHeader;
}
