import { mapBoxes, windowGrid, type Box, type MappedBoxes } from '#libs/geometry';
import type { ResolvedLevel, ResolvedPairing } from './options.js';
import type { PairTransform } from './transform.js';

/** The windows of one level in the first view and the same parts of the scene in the second. */
export interface LevelRegions extends ResolvedLevel {
  query: Box[];
  key: Box[];
  valid: boolean[];
}

/** The grids of a recipe, made once: they are the same for every sample. */
export class RegionGrids {
  readonly levels: (ResolvedLevel & { boxes: Box[] })[];

  constructor(pairing: ResolvedPairing) {
    const { size } = pairing.views[0];
    this.levels = pairing.levels.map((level) => ({
      ...level,
      boxes: windowGrid(size, level.window, level.stride),
    }));
  }

  private map(index: number, { views }: PairTransform): MappedBoxes {
    return mapBoxes(this.levels[index].boxes, views[0], views[1]);
  }

  /** Boxes in pixels of the views, in full precision. */
  of(transform: PairTransform): LevelRegions[] {
    return this.levels.map(({ boxes, ...level }, index) => {
      const mapped = this.map(index, transform);
      return { ...level, query: boxes, key: mapped.boxes, valid: mapped.valid };
    });
  }

  /** The same into row `row` of a batch: `query` and `key` `[N, R, 4]`, `valid` `[N, R]`, for level `index`. */
  write(
    index: number,
    transform: PairTransform,
    row: number,
    out: { query: Float32Array; key: Float32Array; valid: Uint8Array },
  ): void {
    const { boxes } = this.levels[index];
    const mapped = this.map(index, transform);
    const first = row * boxes.length;
    boxes.forEach((box, position) => {
      const at = first + position;
      out.query.set(box, 4 * at);
      out.key.set(mapped.boxes[position], 4 * at);
      out.valid[at] = Number(mapped.valid[position]);
    });
  }
}
