import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { imageAddon } from './image-addon.js';
import { readImageHeader } from './image-header.js';
import { checkedHeader, MAX_FILE_BYTES, MAX_PIXELS, unreadableImage } from './image-limits.js';
import { upright } from './orientation.js';

/** A decoded image: 8-bit RGB, shape `[height, width, 3]`, upright. */
export interface RgbImage {
  width: number;
  height: number;
  data: Uint8Array;
}

export interface DecodeOptions {
  /** How the image is called in messages. @default the path, or "the image" */
  source?: string;
  /**
   * Gives the memory to decode into, so that a loop over files allocates nothing. The result is valid until the next
   * image is decoded into the same memory. @default a new array an image
   */
  allocate?: (bytes: number) => Uint8Array;
}

/** Reads a whole file, called `source` in messages; synchronous, because it is called in threads that have nothing else to do. */
export function readImageFile(path: string, source: string = path): Uint8Array {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    throw unreadableImage(source, `cannot be opened (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
  try {
    const { size } = fstatSync(file);
    if (size > MAX_FILE_BYTES) throw unreadableImage(source, `is ${size} bytes, more than the limit`);
    const bytes = new Uint8Array(size);
    let read = 0;
    while (read < size) {
      const count = readSync(file, bytes, read, size - read, read);
      if (count === 0) break;
      read += count;
    }
    return bytes.subarray(0, read);
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'ResimError') throw cause;
    throw unreadableImage(source, `cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  } finally {
    closeSync(file);
  }
}

/** Every format but plain JPEG: palette, 16 bits, alpha (over white) and CMYK all become 8-bit RGB. */
async function decodeBySharp(bytes: Uint8Array, source: string): Promise<RgbImage> {
  const { default: sharp } = await import('sharp');
  sharp.concurrency(1);
  try {
    const { data, info } = await sharp(bytes, { failOn: 'warning', limitInputPixels: MAX_PIXELS })
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels === 3) return { width, height, data };
    const rgb = new Uint8Array(width * height * 3);
    for (let i = 0; i < width * height; i++) rgb.fill(data[i * channels], 3 * i, 3 * i + 3);
    return { width, height, data: rgb };
  } catch (cause) {
    throw unreadableImage(source, `cannot be decoded (${(cause as Error).message.split('\n')[0]})`, cause);
  }
}

/**
 * Decodes a JPEG, PNG or WebP image, by its content and not by its name. JPEG goes through libjpeg-turbo and equals
 * Pillow's decoding bit for bit; the EXIF orientation is applied; transparent pixels are laid over white; of an
 * animation the first frame is taken.
 *
 * @param image path of a file, or its bytes
 * @throws ResimError INVALID_ARGUMENT (reason IMAGE_UNREADABLE) for another format, for a truncated or corrupt file, and
 *   for one of more than `MAX_PIXELS`, which is refused before anything is decoded
 */
export async function decodeImage(
  image: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<RgbImage> {
  const source = options.source ?? (typeof image === 'string' ? image : 'the image');
  const bytes = typeof image === 'string' ? readImageFile(image, source) : image;
  const header = checkedHeader(source, readImageHeader(bytes));
  if (header.format !== 'jpeg' || header.components === 4) return decodeBySharp(bytes, source);
  const { width, height } = header;
  const length = width * height * 3;
  const data = options.allocate?.(length) ?? new Uint8Array(length);
  try {
    imageAddon().decodeJpeg(bytes, data);
  } catch (cause) {
    if ((cause as Error).name === 'ResimError') throw cause;
    throw unreadableImage(source, `cannot be decoded (${(cause as Error).message})`, cause);
  }
  return upright({ width, height, data }, header.orientation);
}
