/** A mask inside an image: which pixels, by their index `y * width + x`. */
export interface Region {
  width: number;
  height: number;
  has: (x: number, y: number) => boolean;
  /** Columns and rows that hold all of it, half-open. */
  box: [x0: number, y0: number, x1: number, y1: number];
}

interface Edge {
  to: number;
  used: boolean;
}

/** Drops corners on a straight line between their neighbours. */
function straighten(points: [number, number][]): [number, number][] {
  return points.filter(([x, y], index) => {
    const [px, py] = points[(index + points.length - 1) % points.length];
    const [nx, ny] = points[(index + 1) % points.length];
    return (x - px) * (ny - y) !== (y - py) * (nx - x);
  });
}

function signedArea(points: [number, number][]): number {
  return points.reduce((sum, [x, y], index) => {
    const [nx, ny] = points[(index + 1) % points.length];
    return sum + (x * ny - nx * y) / 2;
  }, 0);
}

/**
 * Outer borders of a mask, one polygon a 4-connected part, along the edges of its pixels: filling the polygons gives
 * the mask back, except that holes are filled too. Flat lists `x, y, x, y, …` in pixels, as COCO has them.
 */
export function outerContours({ width, height, has, box: [x0, y0, x1, y1] }: Region): number[][] {
  const inside = (x: number, y: number) => x >= 0 && y >= 0 && x < width && y < height && has(x, y);
  const corners = width + 1;
  const edges = new Map<number, Edge[]>();
  const addEdge = (fromX: number, fromY: number, toX: number, toY: number) => {
    const from = fromY * corners + fromX;
    const list = edges.get(from) ?? [];
    list.push({ to: toY * corners + toX, used: false });
    edges.set(from, list);
  };
  // Every border edge once, with the mask on its right-hand side.
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      if (!inside(x, y)) continue;
      if (!inside(x, y - 1)) addEdge(x, y, x + 1, y);
      if (!inside(x + 1, y)) addEdge(x + 1, y, x + 1, y + 1);
      if (!inside(x, y + 1)) addEdge(x + 1, y + 1, x, y + 1);
      if (!inside(x - 1, y)) addEdge(x, y + 1, x, y);
    }
  }
  const point = (corner: number): [number, number] => [corner % corners, Math.floor(corner / corners)];
  const polygons: number[][] = [];
  for (const [start, list] of edges) {
    for (const first of list) {
      if (first.used) continue;
      const loop: [number, number][] = [];
      let [at, edge] = [start, first];
      while (!edge.used) {
        edge.used = true;
        loop.push(point(at));
        const [previousX, previousY] = point(at);
        at = edge.to;
        const [x, y] = point(at);
        const next = (edges.get(at) as Edge[]).filter((candidate) => !candidate.used);
        if (next.length === 0) break;
        // Where two parts touch at a corner, turning right stays on the same part.
        const turn = (candidate: Edge) => {
          const [nx, ny] = point(candidate.to);
          return (x - previousX) * (ny - y) - (y - previousY) * (nx - x);
        };
        edge = next.reduce((best, candidate) => (turn(candidate) > turn(best) ? candidate : best));
      }
      const corner = straighten(loop);
      if (signedArea(corner) > 0) polygons.push(corner.flat());
    }
  }
  return polygons;
}
