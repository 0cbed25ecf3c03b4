/**
 * What the first bytes of an image file say, before anything is decoded: a file that lies about its kind or is too
 * large costs a read of a few bytes, not memory.
 */
export interface ImageHeader {
  format: 'jpeg' | 'png' | 'webp';
  /** Stored size in pixels, before the orientation is applied. */
  width: number;
  height: number;
  /** EXIF orientation, 1 to 8; 1 for formats other than JPEG, whose decoder applies it itself. */
  orientation: number;
  /** Colour components of a JPEG: 1 grey, 3 colour, 4 CMYK; 3 for other formats. */
  components: number;
}

/** `more`: the header goes on beyond the bytes given. */
export type HeaderResult = ImageHeader | 'more' | 'unknown';

function isStartOfFrame(marker: number): boolean {
  // C4, C8 and CC are tables that share the range of the frame markers.
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** Orientation tag 0x0112 of the first directory of an `Exif` segment; 1 when absent or malformed. */
function exifOrientation(segment: DataView): number {
  if (segment.byteLength < 20 || segment.getUint32(0) !== 0x45786966) return 1;
  const tiff = 6;
  const little = segment.getUint16(tiff) === 0x4949;
  const directory = tiff + segment.getUint32(tiff + 4, little);
  if (directory + 2 > segment.byteLength) return 1;
  const entries = segment.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + 12 * i;
    if (entry + 12 > segment.byteLength) return 1;
    if (segment.getUint16(entry, little) === 0x0112) {
      const value = segment.getUint16(entry + 8, little);
      return value >= 1 && value <= 8 ? value : 1;
    }
  }
  return 1;
}

function jpegHeader(view: DataView): HeaderResult {
  let orientation = 1;
  let at = 2;
  for (;;) {
    // Fill bytes and stray bytes before a marker are allowed for, as decoders do.
    while (at < view.byteLength && view.getUint8(at) !== 0xff) at++;
    while (at < view.byteLength && view.getUint8(at) === 0xff) at++;
    if (at + 3 > view.byteLength) return 'more';
    const marker = view.getUint8(at);
    const segment = at + 1;
    if (marker === 0xd9 || marker === 0xda) return 'unknown';
    if ((marker >= 0xd0 && marker <= 0xd7) || marker === 0x01 || marker === 0x00) {
      at = segment;
      continue;
    }
    const length = view.getUint16(segment);
    if (length < 2) return 'unknown';
    if (isStartOfFrame(marker)) {
      if (segment + 8 > view.byteLength) return 'more';
      return {
        format: 'jpeg',
        height: view.getUint16(segment + 3),
        width: view.getUint16(segment + 5),
        components: view.getUint8(segment + 7),
        orientation,
      };
    }
    if (marker === 0xe1) {
      const available = Math.min(length - 2, view.byteLength - segment - 2);
      orientation = exifOrientation(new DataView(view.buffer, view.byteOffset + segment + 2, available));
    }
    at = segment + length;
  }
}

function webpHeader(view: DataView): HeaderResult {
  if (view.byteLength < 30) return 'more';
  const found = (width: number, height: number): ImageHeader => ({
    format: 'webp',
    width,
    height,
    orientation: 1,
    components: 3,
  });
  switch (view.getUint32(12)) {
    case 0x56503820: // lossy
      return found(view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff);
    case 0x5650384c: {
      // lossless: 14 bits each, one less than the side
      const bits = view.getUint32(21, true);
      return found((bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1);
    }
    case 0x56503858: // extended: 24 bits each, one less than the side
      return found((view.getUint32(24, true) & 0xffffff) + 1, (view.getUint32(26, true) >>> 8) + 1);
    default:
      return 'unknown';
  }
}

/** Reads the header from the first bytes of a file; never throws, whatever they are. */
export function readImageHeader(bytes: Uint8Array): HeaderResult {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < 12) return 'unknown';
  if (view.getUint16(0) === 0xffd8 && view.getUint8(2) === 0xff) return jpegHeader(view);
  if (view.getUint32(0) === 0x89504e47 && view.getUint32(4) === 0x0d0a1a0a) {
    if (bytes.byteLength < 24) return 'more';
    return {
      format: 'png',
      width: view.getUint32(16),
      height: view.getUint32(20),
      orientation: 1,
      components: 3,
    };
  }
  if (view.getUint32(0) === 0x52494646 && view.getUint32(8) === 0x57454250) return webpHeader(view);
  return 'unknown';
}
