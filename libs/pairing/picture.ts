import sharp, { type OverlayOptions } from 'sharp';
import { intersectBoxes, mapBox, type Box } from '#libs/geometry';
import type { Pair } from './pair.js';
import type { LevelRegions } from './regions.js';

/** Pixels of the picture for one pixel of a view of 224. */
const SCALE = 2;
const MARGIN = 24;
const HEADING = 40;

/** A colour for each place of a grid: hue along the rows, lightness down them, so that neighbours differ. */
function windowColour(box: Box, size: number, window: number): string {
  const across = box[0] / Math.max(1, size - window);
  const down = box[1] / Math.max(1, size - window);
  return `hsl(${Math.round(330 * across + 40 * down)}, 95%, ${Math.round(72 - 26 * down)}%)`;
}

function rectangle([x0, y0, x1, y1]: Box, style: string): string {
  const place = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
  const attributes = Object.entries(place).map(([name, value]) => `${name}="${(SCALE * value).toFixed(2)}"`);
  return `<rect ${attributes.join(' ')} ${style}/>`;
}

/** Windows of one level over one view; a number ties the two ends of a match together where colours look alike. */
function drawWindows(
  boxes: Box[],
  valid: boolean[],
  level: LevelRegions,
  size: number,
  isQuery: boolean,
): string {
  const order = boxes.map((_, index) => index);
  const dropped = order
    .filter((index) => isQuery && !valid[index])
    .map((index) =>
      rectangle(boxes[index], 'fill="none" stroke="#fff" stroke-opacity="0.35" stroke-dasharray="2 5"'),
    );
  const kept = order
    .filter((index) => valid[index])
    .map((index) => {
      const colour = windowColour(level.query[index], size, level.window);
      const [x0, y0, x1, y1] = boxes[index].map((value) => value * SCALE);
      return (
        rectangle(boxes[index], `fill="${colour}" fill-opacity="0.10" stroke="${colour}" stroke-width="2"`) +
        `<text x="${(x0 + x1) / 2}" y="${(y0 + y1) / 2 + 4}" text-anchor="middle" font-size="12" font-weight="bold" ` +
        `fill="${colour}" stroke="#000" stroke-width="2.5" paint-order="stroke">${index}</text>`
      );
    });
  return [...dropped, ...kept].join('');
}

function overlapOutline(overlap: Box | null): string {
  if (overlap === null) return '';
  const halo = rectangle(overlap, 'fill="none" stroke="#000" stroke-width="5" stroke-opacity="0.6"');
  return halo + rectangle(overlap, 'fill="none" stroke="#fff" stroke-width="2.5" stroke-dasharray="12 6"');
}

/**
 * Draws the first two views of a pair side by side, once for every level (once without windows when there is none):
 * matching windows in matching colours, the part of the scene that both views show outlined in white.
 *
 * @returns the bytes of a PNG
 */
export async function drawPair(pair: Pair): Promise<Buffer> {
  const views = pair.transform.views.slice(0, 2);
  const [from, to] = views;
  const whole = ({ size }: { size: number }): Box => [0, 0, size, size];
  const overlaps =
    to === undefined
      ? [null]
      : [
          intersectBoxes(whole(from), mapBox(whole(to), to, from)),
          intersectBoxes(whole(to), mapBox(whole(from), from, to)),
        ];
  const sides = views.map(({ size }) => size * SCALE);
  const width = MARGIN + sides.reduce((sum, side) => sum + side + MARGIN, 0);
  const rowHeight = HEADING + Math.max(...sides) + MARGIN;
  const rows: (LevelRegions | null)[] = pair.levels.length > 0 ? pair.levels : [null];

  const images: OverlayOptions[] = [];
  const drawing: string[] = [];
  for (const [row, level] of rows.entries()) {
    let left = MARGIN;
    for (const [index, view] of views.entries()) {
      const top = row * rowHeight + HEADING;
      const raw = { width: view.size, height: view.size, channels: 3 as const };
      const enlarged = await sharp(pair.pixels[index], { raw })
        .resize(sides[index], sides[index])
        .png()
        .toBuffer();
      images.push({ input: enlarged, left, top });
      const { crop } = view;
      const kept =
        level === null
          ? ''
          : ` · ${level.name}: ${level.valid.filter(Boolean).length} of ${level.valid.length} windows`;
      const text = `${view.name} · ${crop.width} x ${crop.height} at ${crop.left}, ${crop.top}${index === 0 ? kept : ''}`;
      const windows =
        level === null
          ? ''
          : drawWindows(index === 0 ? level.query : level.key, level.valid, level, from.size, index === 0);
      drawing.push(
        `<text x="${left}" y="${top - 13}" font-size="16" fill="#e8e8ee">${text}</text>`,
        `<svg x="${left}" y="${top}" width="${sides[index]}" height="${sides[index]}">${windows}${overlapOutline(overlaps[index])}</svg>`,
      );
      left += sides[index] + MARGIN;
    }
  }
  const height = rows.length * rowHeight;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif">${drawing.join('')}</svg>`;
  return sharp({ create: { width, height, channels: 3, background: '#17181f' } })
    .composite([...images, { input: Buffer.from(svg), left: 0, top: 0 }])
    .png()
    .toBuffer();
}
