import { parentPort, workerData } from 'node:worker_threads';
import { ResimError } from '#libs/core';
import { BatchLayout } from './batch-memory.js';
import { RowMaker } from './row-maker.js';
import type { WorkerReply, WorkerSetup, WorkMessage } from './worker-messages.js';

/** A thread that makes rows of batches straight into shared memory. */

const setup = workerData as WorkerSetup;
const port = parentPort;
if (port === null) throw new Error('this file runs as a worker thread only');
const reply = (message: WorkerReply): void => port.postMessage(message);

const stop = new Int32Array(setup.stop);
const layout = new BatchLayout(setup.pairing, setup.batchSize);
const rows = new RowMaker({
  ...setup,
  files: setup.files.split('\n'),
  onSkipped: (file) => reply({ kind: 'skipped', file }),
});

const stopped = (): boolean => Atomics.load(stop, 0) !== 0;

async function work({ step, epoch, memory, nextRow }: WorkMessage): Promise<void> {
  const batch = layout.over(memory, step, epoch);
  const counter = new Int32Array(nextRow);
  for (
    let row = Atomics.add(counter, 0, 1);
    row < batch.count && !stopped();
    row = Atomics.add(counter, 0, 1)
  ) {
    await rows.make(batch, row);
  }
}

let queue = Promise.resolve();
port.on('message', (message: WorkMessage | null) => {
  queue = queue.then(async () => {
    if (message === null) return port.close();
    if (stopped()) return;
    try {
      await work(message);
      reply({ kind: 'done', step: message.step });
    } catch (error) {
      const known = error instanceof ResimError ? error : undefined;
      reply({
        kind: 'failed',
        code: known?.code ?? 'INTERNAL',
        reason: known?.reason ?? 'PAIRING_WORKER',
        message: known?.message ?? `a pairing worker failed: ${(error as Error).message}`,
      });
    }
  });
});
