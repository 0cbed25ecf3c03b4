/**
 * What the input side hands to a trainer. Views travel as uint8 with the channels last, so that a batch is a fourth
 * of its float form on any transport and becomes a channels-last tensor without a copy; the trainer normalises.
 */

/** One view of every sample of a batch. */
export interface ViewBatch {
  /** Name of the view in the recipe: `query`, `key`. */
  name: string;
  /** Side of the square view in pixels. */
  size: number;
  /** Pictures that each sample has under this name: 9 for the patches of a jigsaw. @default 1 */
  perSample?: number;
  /** RGB pixels, shape `[N * perSample, size, size, 3]`, the pictures of a sample one after the other. */
  pixels: Uint8Array;
}

/** Windows of the query view and the same scene regions in the key view, for one feature level. */
export interface RegionBatch {
  /** Name of the level in the recipe: `p4`, `p3`, `c4`. */
  level: string;
  /** Windows a sample (R). */
  count: number;
  /** Boxes `x0, y0, x1, y1` in pixels of the query view, half-open, shape `[N, R, 4]`. */
  query: Float32Array;
  /** The mapped boxes in pixels of the key view, shape `[N, R, 4]`; `0, 0, 1, 1` where not valid. */
  key: Float32Array;
  /** 1 where the mapped box lies inside the key view, else 0; shape `[N, R]`. */
  valid: Uint8Array;
}

/** Batch number `step` of a run: a pure function of (data set, recipe, seed, step). */
export interface Batch {
  step: number;
  epoch: number;
  /** N */
  count: number;
  /** Which sample of the data set stands in each row, shape `[N]`. */
  samples: Int32Array;
  /** Class of each sample, shape `[N]`, for methods that learn from classes. */
  labels?: Int32Array;
  views: ViewBatch[];
  regions: RegionBatch[];
}

/**
 * Where a trainer gets its batches from: worker threads of its own process, or a stream from elsewhere.
 * `next` gives consecutive steps, starting at the one the source was opened with.
 */
export interface BatchSource {
  readonly stepsPerEpoch: number;
  /** Rejects with a `ResimError` when no further batch can be made; the source is closed then. */
  next(): Promise<Batch>;
  /** Optional: the batch's arrays are done with and their memory may hold a later one. Never calling it is safe. */
  release?(batch: Batch): void;
  close(): Promise<void>;
}
