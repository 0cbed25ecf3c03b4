import type { Tensor } from '#libs/tensor';

/**
 * Vectors that a method remembers from step to step: a queue of keys, a bank with a row for every sample. The trainer
 * writes what a loss asks for, and checkpoints hold it, whatever kind it is.
 */
export interface Memory {
  /** `[K, D]` */
  readonly entries: Tensor;
  /**
   * Takes over the rows of a whole step.
   * @param rows `[N, D]` in the order of the batch
   * @param samples which sample of the data set each row is of, `[N]`
   */
  write(rows: Tensor, samples: Int32Array): void;
  /** Where it stands, besides its entries; put back by `restore`. */
  position(): Record<string, number>;
  restore(position: Readonly<Record<string, number>>): void;
  /** Share of the entries that were written and are no longer random; null where that says nothing. */
  fill(): number | null;
  dispose(): void;
}
