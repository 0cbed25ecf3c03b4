import { ResimError } from '#libs/core';
import type { Batch, BatchSource } from './batch.js';
import { BatchLayout } from './batch-memory.js';
import type { ResolvedPairing } from './options.js';
import { RowMaker, type RowMakerOptions } from './row-maker.js';
import { Schedule } from './schedule.js';

export interface SourceOptions extends RowMakerOptions {
  pairing: ResolvedPairing;
  batchSize: number;
  /** First step that `next` gives. */
  startStep: number;
}

/** Makes every batch in the calling thread, when it is asked for. */
export class LocalBatchSource implements BatchSource {
  readonly stepsPerEpoch: number;
  private readonly schedule: Schedule;
  private readonly layout: BatchLayout;
  private readonly rows: RowMaker;
  private step: number;
  private closed = false;

  constructor(options: SourceOptions) {
    this.schedule = new Schedule(options.files.length, options.batchSize, options.seed);
    this.stepsPerEpoch = this.schedule.stepsPerEpoch;
    this.layout = new BatchLayout(options.pairing, options.batchSize);
    this.rows = new RowMaker(options);
    this.step = options.startStep;
  }

  async next(): Promise<Batch> {
    if (this.closed) throw new ResimError('CANCELLED', 'the source of batches is closed');
    const step = this.step++;
    const batch = this.layout.over(new ArrayBuffer(this.layout.bytes), step, this.schedule.epochOf(step));
    batch.samples.set(this.schedule.samplesOf(step));
    for (let row = 0; row < batch.count; row++) await this.rows.make(batch, row);
    return batch;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
