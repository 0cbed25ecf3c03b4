import { invalid } from '#libs/core';
import { openImageFolder, type SkippedFile } from '#libs/datasets';
import type { BatchSource } from './batch.js';
import { LocalBatchSource } from './local-source.js';
import type { ResolvedPairing } from './options.js';
import { WorkerBatchSource } from './worker-source.js';

export interface OpenBatchesOptions {
  /** Folder of images, absolute. */
  images: string;
  pairing: ResolvedPairing;
  seed: number;
  batchSize: number;
  /** First step that `next` gives. @default 0 */
  startStep?: number;
  /** Threads that decode and augment; 0 makes every batch in the calling thread. @default 1 */
  workers?: number;
  /** Batches made before they are asked for. @default 2 */
  prefetch?: number;
  /** Told once about every file that cannot be used, with its path and the reason. */
  onWarning?: (message: string) => void;
}

export interface OpenedBatches extends BatchSource {
  /** Images whose headers can be read: the size of the data set, from which epochs are counted. */
  readonly images: number;
  /** Files found unusable so far; one whose pixels turn out to be broken adds to it later. */
  readonly skipped: number;
}

/**
 * Opens a folder of images as a source of batches. Batch `step` is a function of (folder, pairing, seed, batch size,
 * step), whatever the number of workers and wherever the source was opened.
 *
 * @throws ResimError INVALID_ARGUMENT when the folder has no readable image or fewer than a batch
 */
export async function openBatches(options: OpenBatchesOptions): Promise<OpenedBatches> {
  const { images, pairing, seed, batchSize, startStep = 0, workers = 1, prefetch = 2 } = options;
  for (const [name, value] of Object.entries({ startStep, workers, prefetch })) {
    if (!Number.isInteger(value) || value < 0) throw invalid(name, value, 'a whole number from 0 on');
  }
  const folder = await openImageFolder(images);
  let skipped = 0;
  const onSkipped = ({ path, reason }: SkippedFile): void => {
    skipped++;
    options.onWarning?.(`skipped ${path}: ${reason}`);
  };
  folder.skipped.forEach(onSkipped);
  const { root, files } = folder;
  const common = { root, files, pairing, seed, batchSize, startStep, onSkipped };
  const source: BatchSource =
    workers === 0
      ? new LocalBatchSource(common)
      : new WorkerBatchSource({ ...common, workers: Math.min(workers, batchSize), prefetch });
  return {
    images: files.length,
    get skipped() {
      return skipped;
    },
    stepsPerEpoch: source.stepsPerEpoch,
    next: () => source.next(),
    release: (batch) => source.release?.(batch),
    close: () => source.close(),
  };
}
