import type { Outline } from './outlines.js';

/** Lines a pixel row is cut into; along a row the share that is covered is exact. */
const LINES = 4;

/** Adds the span [from, to) to a row of coverages, with the shares of the pixels at its ends. */
function addSpan(row: Float32Array, from: number, to: number): void {
  const start = Math.max(from, 0);
  const end = Math.min(to, row.length);
  if (end <= start) return;
  const first = Math.floor(start);
  const last = Math.min(Math.floor(end), row.length - 1);
  if (first === last) {
    row[first] += (end - start) / LINES;
    return;
  }
  row[first] += (first + 1 - start) / LINES;
  for (let x = first + 1; x < last; x++) row[x] += 1 / LINES;
  row[last] += (end - last) / LINES;
}

/**
 * Fills a polygon (even-odd): calls `paint` with every row that it touches and the share of each pixel that it covers.
 *
 * @param outline corners in pixels; they may lie outside
 * @param paint `coverage` has the image's width, and holds values from 0 to 1 in columns `from` to `to - 1`
 */
export function fillPolygon(
  outline: Outline,
  width: number,
  height: number,
  paint: (y: number, from: number, to: number, coverage: Float32Array) => void,
): void {
  const xs = outline.map(([x]) => x);
  const ys = outline.map(([, y]) => y);
  const from = Math.max(0, Math.floor(Math.min(...xs)));
  const to = Math.min(width, Math.ceil(Math.max(...xs)) + 1);
  const bottom = Math.min(height, Math.ceil(Math.max(...ys)));
  if (to <= from) return;
  const coverage = new Float32Array(width);
  for (let y = Math.max(0, Math.floor(Math.min(...ys))); y < bottom; y++) {
    coverage.fill(0, from, to);
    for (let line = 0; line < LINES; line++) {
      const level = y + (line + 0.5) / LINES;
      const crossings: number[] = [];
      outline.forEach(([x0, y0], index) => {
        const [x1, y1] = outline[(index + 1) % outline.length];
        if (y0 <= level !== y1 <= level) crossings.push(x0 + ((level - y0) / (y1 - y0)) * (x1 - x0));
      });
      crossings.sort((a, b) => a - b);
      for (let i = 0; i + 1 < crossings.length; i += 2) addSpan(coverage, crossings[i], crossings[i + 1]);
    }
    paint(y, from, to, coverage);
  }
}
