import type { RgbImage } from './decode.js';

/**
 * Turns pixels as EXIF orientation 2 to 8 says, so that the picture stands as its photographer held the camera.
 * Row and column of the upright image are read from the stored one by a start and two steps, in pixels.
 */
export function upright({ width, height, data }: RgbImage, orientation: number): RgbImage {
  const last = { x: width - 1, y: (height - 1) * width };
  const walks: Record<number, { start: number; across: number; down: number }> = {
    2: { start: last.x, across: -1, down: width },
    3: { start: last.x + last.y, across: -1, down: -width },
    4: { start: last.y, across: 1, down: -width },
    5: { start: 0, across: width, down: 1 },
    6: { start: last.y, across: -width, down: 1 },
    7: { start: last.x + last.y, across: -width, down: -1 },
    8: { start: last.x, across: width, down: -1 },
  };
  const walk = walks[orientation];
  if (walk === undefined) return { width, height, data };
  const turned = orientation >= 5;
  const out = { width: turned ? height : width, height: turned ? width : height };
  const pixels = new Uint8Array(data.length);
  let to = 0;
  for (let y = 0; y < out.height; y++) {
    let from = (walk.start + y * walk.down) * 3;
    for (let x = 0; x < out.width; x++, from += walk.across * 3) {
      pixels[to++] = data[from];
      pixels[to++] = data[from + 1];
      pixels[to++] = data[from + 2];
    }
  }
  return { ...out, data: pixels };
}
