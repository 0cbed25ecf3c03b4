import { invalid } from '#libs/core';
import type { Box } from './box.js';

/**
 * Windows of one size on a regular grid over a square view, from its upper left corner, row by row.
 * A window that reaches the right or lower edge is left out, as the published code does.
 *
 * @param size side of the view in pixels
 * @param window side of a window in pixels
 * @param stride pixels from one window to the next
 * @throws ResimError INVALID_ARGUMENT when a side or the stride is not positive
 */
export function windowGrid(size: number, window: number, stride: number): Box[] {
  for (const [name, value] of Object.entries({ size, window, stride })) {
    if (!(value > 0)) throw invalid(name, value, 'a positive number of pixels');
  }
  const boxes: Box[] = [];
  for (let y = 0; y + window < size; y += stride) {
    for (let x = 0; x + window < size; x += stride) boxes.push([x, y, x + window, y + window]);
  }
  return boxes;
}
