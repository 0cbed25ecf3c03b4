import turbo from '@julusian/jpeg-turbo';
import type { RgbImage } from '../decode.js';

/** JPEG with 4:2:0 colour, as cameras write it. */
export function encodeJpeg({ width, height, data }: RgbImage, quality: number): Buffer {
  return turbo.compressSync(Buffer.from(data.buffer, data.byteOffset, data.byteLength), {
    format: turbo.FORMAT_RGB,
    width,
    height,
    quality,
    subsampling: turbo.SAMP_420,
  });
}
