import type { Batch, RegionBatch, ViewBatch } from './batch.js';
import type { ResolvedPairing } from './options.js';
import { RegionGrids } from './regions.js';

type Memory = ArrayBuffer | SharedArrayBuffer;

interface Piece {
  offset: number;
  length: number;
}

/**
 * Where the arrays of a batch stand in one piece of memory. Every thread lays the same arrays over the same shared
 * memory, so rows are written where they are read and nothing is copied between threads.
 */
export class BatchLayout {
  readonly bytes: number;
  private readonly samples: Piece;
  private readonly pixels: Piece[];
  private readonly regions: { query: Piece; key: Piece; valid: Piece }[];
  private readonly grids: RegionGrids;

  constructor(
    private readonly pairing: ResolvedPairing,
    readonly count: number,
  ) {
    this.grids = new RegionGrids(pairing);
    let end = 0;
    // Whole cache lines: two threads never write to the same one by accident of the layout.
    const piece = (length: number, bytesEach: number): Piece => {
      const offset = end;
      end = Math.ceil((end + length * bytesEach) / 64) * 64;
      return { offset, length };
    };
    this.samples = piece(count, 4);
    this.regions = this.grids.levels.map(({ boxes }) => ({
      query: piece(count * boxes.length * 4, 4),
      key: piece(count * boxes.length * 4, 4),
      valid: piece(count * boxes.length, 1),
    }));
    this.pixels = pairing.views.map(({ size }) => piece(count * size * size * 3, 1));
    this.bytes = end;
  }

  /** The batch that lies in `memory`. */
  over(memory: Memory, step: number, epoch: number): Batch {
    const u8 = ({ offset, length }: Piece) => new Uint8Array(memory as ArrayBuffer, offset, length);
    const f32 = ({ offset, length }: Piece) => new Float32Array(memory as ArrayBuffer, offset, length);
    const views: ViewBatch[] = this.pairing.views.map(({ name, size }, index) => ({
      name,
      size,
      pixels: u8(this.pixels[index]),
    }));
    const regions: RegionBatch[] = this.grids.levels.map(({ name, boxes }, index) => ({
      level: name,
      count: boxes.length,
      query: f32(this.regions[index].query),
      key: f32(this.regions[index].key),
      valid: u8(this.regions[index].valid),
    }));
    const samples = new Int32Array(memory as ArrayBuffer, this.samples.offset, this.samples.length);
    return { step, epoch, count: this.count, samples, views, regions };
  }
}
