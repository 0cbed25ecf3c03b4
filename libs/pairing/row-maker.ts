import { join } from 'node:path';
import { ResimError } from '#libs/core';
import { decodeImage, type RgbImage, type SkippedFile } from '#libs/datasets';
import type { Batch } from './batch.js';
import type { ResolvedPairing } from './options.js';
import { RegionGrids } from './regions.js';
import { sampleTransform } from './sampler.js';
import { renderView } from './view.js';

export interface RowMakerOptions {
  /** Absolute folder, and the paths of its images inside it in the order of the data set. */
  root: string;
  files: string[];
  pairing: ResolvedPairing;
  seed: number;
  onSkipped: (file: SkippedFile) => void;
}

/** Makes single rows of batches: decodes, draws, renders, maps. One a thread; it reuses its memory. */
export class RowMaker {
  private readonly grids: RegionGrids;
  private readonly broken = new Set<number>();
  private memory = new Uint8Array(0);

  constructor(private readonly options: RowMakerOptions) {
    this.grids = new RegionGrids(options.pairing);
  }

  private readonly allocate = (bytes: number): Uint8Array => {
    if (this.memory.length < bytes) this.memory = new Uint8Array(bytes);
    return this.memory.subarray(0, bytes);
  };

  /**
   * The image of a sample, or of the next one that can be decoded. Whether a file decodes depends on the file alone,
   * so every worker comes to the same image.
   */
  private async decode(sample: number): Promise<{ image: RgbImage; sample: number }> {
    const { root, files, onSkipped } = this.options;
    for (let step = 0; step < files.length; step++) {
      const candidate = (sample + step) % files.length;
      if (this.broken.has(candidate)) continue;
      const path = files[candidate];
      try {
        const image = await decodeImage(join(root, path), { source: path, allocate: this.allocate });
        return { image, sample: candidate };
      } catch (error) {
        if (!(error instanceof ResimError) || error.reason !== 'IMAGE_UNREADABLE') throw error;
        this.broken.add(candidate);
        onSkipped({ path, reason: error.metadata.problem });
      }
    }
    throw new ResimError(
      'INVALID_ARGUMENT',
      `the image folder ${root} cannot be used: none of its ${files.length} images can be decoded`,
      { reason: 'IMAGES_NONE_READABLE' },
    );
  }

  /** Fills row `row` of `batch`, whose `samples[row]` says which sample; it is corrected when another took its place. */
  async make(batch: Batch, row: number): Promise<void> {
    const { pairing, seed } = this.options;
    const { image, sample } = await this.decode(batch.samples[row]);
    batch.samples[row] = sample;
    const transform = sampleTransform(pairing, { seed, epoch: batch.epoch, sample }, image);
    transform.views.forEach((view, index) => {
      const { pixels, size } = batch.views[index];
      renderView(image, transform.flip, view, pixels, row * size * size * 3);
    });
    batch.regions.forEach((region, index) => this.grids.write(index, transform, row, region));
  }
}
