import { mirrorBox, type Box } from './box.js';
import type { ViewGeometry } from './crop.js';

/** A coordinate of one view -> image -> the other view. The order of the operations is the published code's. */
function mapCoordinate(
  value: number,
  from: { low: number; extent: number; size: number },
  to: { low: number; extent: number; size: number },
): number {
  const inImage = from.low + (from.extent * value) / from.size;
  return ((inImage - to.low) * to.size) / to.extent;
}

const horizontal = ({ crop, size }: ViewGeometry) => ({ low: crop.left, extent: crop.width, size });
const vertical = ({ crop, size }: ViewGeometry) => ({ low: crop.top, extent: crop.height, size });

/** The point (x, y) of view `from` in pixels of view `to`; it may lie outside. */
export function mapPoint(x: number, y: number, from: ViewGeometry, to: ViewGeometry): [number, number] {
  const upright = from.mirrored ? from.size - x : x;
  const mapped = mapCoordinate(upright, horizontal(from), horizontal(to));
  return [to.mirrored ? to.size - mapped : mapped, mapCoordinate(y, vertical(from), vertical(to))];
}

/** The same part of the scene: a box in pixels of view `from`, in pixels of view `to`. It may lie outside. */
export function mapBox(box: Box, from: ViewGeometry, to: ViewGeometry): Box {
  const upright = from.mirrored ? mirrorBox(box, from.size) : box;
  const mapped: Box = [
    mapCoordinate(upright[0], horizontal(from), horizontal(to)),
    mapCoordinate(upright[1], vertical(from), vertical(to)),
    mapCoordinate(upright[2], horizontal(from), horizontal(to)),
    mapCoordinate(upright[3], vertical(from), vertical(to)),
  ];
  return to.mirrored ? mirrorBox(mapped, to.size) : mapped;
}

/** Whether a box lies inside a square view; the lower right edge itself does not count, as in the published code. */
export function insideView([x0, y0, x1, y1]: Box, size: number): boolean {
  return x0 >= 0 && y0 >= 0 && x1 < size && y1 < size;
}

/** What stands in place of a box that is not valid, so that a pooling operator still finds an area. */
export const PLACEHOLDER_BOX: Box = [0, 0, 1, 1];

export interface MappedBoxes {
  /** One box for each given one, in pixels of the other view; `PLACEHOLDER_BOX` where not valid. */
  boxes: Box[];
  valid: boolean[];
}

/** Maps boxes of view `from` into view `to` and drops those that do not lie wholly inside it. */
export function mapBoxes(boxes: readonly Box[], from: ViewGeometry, to: ViewGeometry): MappedBoxes {
  const mapped = boxes.map((box) => mapBox(box, from, to));
  const valid = mapped.map((box) => insideView(box, to.size));
  return { boxes: mapped.map((box, index) => (valid[index] ? box : PLACEHOLDER_BOX)), valid };
}
