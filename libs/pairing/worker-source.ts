import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { projectPath, ResimError } from '#libs/core';
import type { Batch, BatchSource } from './batch.js';
import { BatchLayout } from './batch-memory.js';
import type { SourceOptions } from './local-source.js';
import { Schedule } from './schedule.js';
import type { WorkerReply, WorkerSetup, WorkMessage } from './worker-messages.js';

/** How long a thread may take for its last row before it is ended from outside. */
const PATIENCE_MS = 10_000;

async function endThread(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return;
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.postMessage(null);
  const timer = setTimeout(() => void worker.terminate(), PATIENCE_MS);
  await ended;
  clearTimeout(timer);
}

/** A batch under way. */
class Pending {
  finish!: () => void;
  fail!: (error: ResimError) => void;
  readonly finished: Promise<void>;

  constructor(
    readonly batch: Batch,
    /** Workers that have not yet run out of rows. */
    public working: number,
  ) {
    this.finished = new Promise((resolve, reject) => {
      this.finish = resolve;
      this.fail = reject;
    });
    // Nobody may be waiting for this step yet; whoever asks for it later still gets the rejection.
    this.finished.catch(() => undefined);
  }
}

export interface WorkerSourceOptions extends SourceOptions {
  /** Threads, at least 1. */
  workers: number;
  /** Batches made before they are asked for. @default 2 */
  prefetch?: number;
}

/**
 * Makes batches in threads, some steps ahead. The threads share each batch row by row, so the first one comes as soon
 * as it can, and the result is the same for any number of threads.
 */
export class WorkerBatchSource implements BatchSource {
  readonly stepsPerEpoch: number;
  private readonly schedule: Schedule;
  private readonly layout: BatchLayout;
  private readonly workers: Worker[];
  private readonly pending = new Map<number, Pending>();
  private readonly spare: SharedArrayBuffer[] = [];
  private readonly ahead: number;
  private readonly stop = new SharedArrayBuffer(4);
  private readonly reported = new Set<string>();
  private planned: number;
  private step: number;
  private failure: ResimError | undefined;

  constructor(private readonly options: WorkerSourceOptions) {
    this.schedule = new Schedule(options.files.length, options.batchSize, options.seed);
    this.stepsPerEpoch = this.schedule.stepsPerEpoch;
    this.layout = new BatchLayout(options.pairing, options.batchSize);
    this.ahead = options.prefetch ?? 2;
    this.step = options.startStep;
    this.planned = options.startStep;
    this.workers = Array.from({ length: options.workers }, () => this.startWorker());
    this.plan();
  }

  private startWorker(): Worker {
    // Threads run the built code: they are not passed through the test runner's TypeScript loader.
    const file = projectPath('dist', 'libs', 'pairing', 'worker.js');
    if (!existsSync(file)) {
      throw new ResimError('FAILED_PRECONDITION', 'the worker threads are not built; run `npm run build`');
    }
    const { root, files, pairing, seed, batchSize } = this.options;
    const workerData: WorkerSetup = {
      root,
      files: files.join('\n'),
      pairing,
      seed,
      batchSize,
      stop: this.stop,
    };
    const worker = new Worker(file, { workerData, execArgv: [] });
    worker.on('message', (reply: WorkerReply) => this.receive(reply));
    worker.on('error', (cause) => this.fail(this.crashed(cause.message, cause)));
    worker.on('exit', (code) => this.fail(this.crashed(`it exited with code ${code}`)));
    return worker;
  }

  private crashed(why: string, cause?: unknown): ResimError {
    return new ResimError('INTERNAL', `a pairing worker stopped: ${why}`, {
      reason: 'PAIRING_WORKER',
      cause,
    });
  }

  private receive(reply: WorkerReply): void {
    switch (reply.kind) {
      case 'skipped':
        // Several threads may meet the same broken file.
        if (!this.reported.has(reply.file.path)) {
          this.reported.add(reply.file.path);
          this.options.onSkipped(reply.file);
        }
        return;
      case 'failed':
        this.fail(new ResimError(reply.code, reply.message, { reason: reply.reason }));
        return;
      case 'done': {
        const pending = this.pending.get(reply.step);
        if (pending !== undefined && --pending.working === 0) pending.finish();
      }
    }
  }

  private fail(error: ResimError): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    for (const pending of this.pending.values()) pending.fail(error);
    void this.endThreads();
  }

  /** Hands the threads every step up to the bound of what may lie ready. */
  private plan(): void {
    while (this.planned <= this.step + this.ahead) {
      const step = this.planned++;
      const epoch = this.schedule.epochOf(step);
      const memory = this.spare.pop() ?? new SharedArrayBuffer(this.layout.bytes);
      const batch = this.layout.over(memory, step, epoch);
      batch.samples.set(this.schedule.samplesOf(step));
      this.pending.set(step, new Pending(batch, this.workers.length));
      const work: WorkMessage = { step, epoch, memory, nextRow: new SharedArrayBuffer(4) };
      for (const worker of this.workers) worker.postMessage(work);
    }
  }

  async next(): Promise<Batch> {
    if (this.failure !== undefined) throw this.failure;
    const step = this.step++;
    this.plan();
    const pending = this.pending.get(step) as Pending;
    try {
      await pending.finished;
      return pending.batch;
    } finally {
      this.pending.delete(step);
    }
  }

  /** Gives the memory of a batch back for a later one; its arrays must not be read any more. */
  release(batch: Batch): void {
    const memory = batch.samples.buffer as unknown as SharedArrayBuffer;
    if (this.spare.length <= this.ahead && !this.spare.includes(memory)) this.spare.push(memory);
  }

  /** Threads end by themselves after the row under way: ending one from outside in native code is not safe. */
  private async endThreads(): Promise<void> {
    Atomics.store(new Int32Array(this.stop), 0, 1);
    await Promise.all(this.workers.map((worker) => endThread(worker)));
  }

  async close(): Promise<void> {
    this.fail(new ResimError('CANCELLED', 'the source of batches is closed'));
    await this.endThreads();
  }
}
