import { invalid, KeyedRandom, RandomPurpose } from '#libs/core';

/** Which samples stand in which step: a new order every epoch, and no short batch at its end. */
export class Schedule {
  readonly stepsPerEpoch: number;
  private cached: { epoch: number; order: Int32Array } | undefined;

  /** @throws ResimError INVALID_ARGUMENT when the data set is smaller than a batch */
  constructor(
    private readonly samples: number,
    private readonly batchSize: number,
    private readonly seed: number,
  ) {
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw invalid('batchSize', batchSize, 'a whole number from 1 on');
    }
    if (batchSize > samples) {
      throw invalid(
        'batchSize',
        batchSize,
        `at most ${samples}, the number of readable images`,
        'BATCH_TOO_LARGE',
      );
    }
    this.stepsPerEpoch = Math.floor(samples / batchSize);
  }

  epochOf(step: number): number {
    return Math.floor(step / this.stepsPerEpoch);
  }

  /** The samples of a step, shape `[batchSize]`. */
  samplesOf(step: number): Int32Array {
    const epoch = this.epochOf(step);
    if (this.cached?.epoch !== epoch) {
      const random = new KeyedRandom(this.seed, { epoch, purpose: RandomPurpose.shuffle });
      this.cached = { epoch, order: random.permutation(this.samples) };
    }
    const first = (step % this.stepsPerEpoch) * this.batchSize;
    return this.cached.order.slice(first, first + this.batchSize);
  }
}
