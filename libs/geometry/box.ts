/** Corners `x0, y0, x1, y1` in pixels, half-open: the box (0, 0, 4, 4) covers four pixels by four. */
export type Box = readonly [x0: number, y0: number, x1: number, y1: number];

/** Area in square pixels; 0 for a box whose corners are the wrong way round. */
export function boxArea([x0, y0, x1, y1]: Box): number {
  return Math.max(x1 - x0, 0) * Math.max(y1 - y0, 0);
}

/** The common part of two boxes of one frame, or null where they share no area. */
export function intersectBoxes(a: Box, b: Box): Box | null {
  const common: Box = [
    Math.max(a[0], b[0]),
    Math.max(a[1], b[1]),
    Math.min(a[2], b[2]),
    Math.min(a[3], b[3]),
  ];
  return common[0] < common[2] && common[1] < common[3] ? common : null;
}

/** The box as it stands after its image of the given width was mirrored left to right. Its own inverse. */
export function mirrorBox([x0, y0, x1, y1]: Box, width: number): Box {
  return [width - x1, y0, width - x0, y1];
}
