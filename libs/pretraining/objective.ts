import type { Init, Module } from '#libs/nn';
import type { Tensor } from '#libs/tensor';
import type { Memory } from './memory.js';

/** Named outputs of a network for a stack of images, the batch first: `{ embedding: [N, D], p4: [N, C, H, W] }`. */
export type Features = Record<string, Tensor>;

/** A trunk with whatever an objective puts on it. */
export interface Network extends Module {
  /** @param images normalised, `[N, 3, S, S]` */
  forward(images: Tensor): Features;
}

/** Windows of one level for the rows of one shard; see `RegionBatch`. */
export interface ShardRegions {
  /** Boxes in pixels of the query view `[n, R, 4]`, float32. */
  query: Tensor;
  /** The same scene regions in pixels of the key view `[n, R, 4]`, float32. */
  key: Tensor;
  /** Rows of the flattened `[n R]` that are valid, int64 `[M]`. */
  valid: Tensor;
  validCount: number;
  /** n R */
  count: number;
}

/** All that a loss may look at: one shard's rows of a step. */
export interface ShardContext<Prepared> {
  /** First row of the shard in the batch, and its number of rows (n). */
  firstRow: number;
  rows: number;
  /** Outputs of the student by view, `[n, ...]`, with gradients. */
  student: Record<string, Features>;
  /** Outputs of the teacher by view for the same rows, `[n, ...]`, without. */
  teacher: Record<string, Features>;
  /** What `prepare` made of the whole batch. */
  prepared: Prepared;
  regions: Record<string, ShardRegions>;
  memory: Record<string, Memory>;
  /** Which sample of the data set stands in each row. */
  samples: Int32Array;
  /** Class of each row; null where the data set has none. */
  labels: Int32Array | null;
}

/** Where in the run a step stands. */
export interface StepPlace {
  /** Steps completed before it. */
  step: number;
  stepsPerEpoch: number;
  epochs: number;
}

export interface ObjectiveLoss {
  /** Scalars by name; the total is their sum with the objective's weights applied already. */
  terms: Record<string, Tensor>;
  /** Scalars that are only reported: accuracies, shares. Means over shards are taken. */
  metrics: Record<string, Tensor | number>;
  /** New entries by memory, `[n, D]`: written in the order of the shards when the whole step is done. */
  writes?: Record<string, Tensor>;
}

/**
 * A pre-training method. It declares what it needs and computes its loss; everything that has a state (networks,
 * moving averages, memories, shards, optimiser, checkpoints) belongs to the trainer, which knows no method.
 */
export interface Objective<Prepared = unknown> {
  /** Views that the student encodes, with gradients, one shard after the other. */
  readonly studentViews: readonly string[];
  /**
   * The momentum encoder, when there is one: what it encodes, and how slowly it follows (1 for not at all); a function
   * where that changes during the run.
   */
  readonly teacher: { views: readonly string[]; momentum: number | ((at: StepPlace) => number) } | null;
  /** Makes the student; a teacher is made the same way and starts with the student's values. */
  network(init: Init): Network;
  memory(init: Init): Record<string, Memory>;
  /** Once a step, with the teacher's outputs for the whole batch `[N, ...]`: what all shards share. */
  prepare(teacher: Record<string, Features>): Prepared;
  loss(context: ShardContext<Prepared>): ObjectiveLoss;
  /** Before anything else of a step: to bring weights back to what they must be, such as unit prototypes. */
  beforeStep?(student: Network, at: StepPlace): void;
  /** Whether a parameter moves in this step; all do where this is left out. */
  moves?(parameter: string, at: StepPlace): boolean;
}
