import type { ErrorCode } from '#libs/core';
import type { SkippedFile } from '#libs/datasets';
import type { RowMakerOptions } from './row-maker.js';

/** What a worker thread is started with. */
export interface WorkerSetup extends Omit<RowMakerOptions, 'onSkipped' | 'files'> {
  /** One path a line: a single string is copied to a thread much faster than a million small ones. */
  files: string;
  batchSize: number;
  /** One 32-bit word, not 0 when the thread is to end after the row under way. */
  stop: SharedArrayBuffer;
}

/** To every worker: take rows of this batch until none is left; null ends the thread. */
export interface WorkMessage {
  step: number;
  epoch: number;
  memory: SharedArrayBuffer;
  /** One 32-bit counter, the next row that nobody has taken. */
  nextRow: SharedArrayBuffer;
}

/** From a worker. */
export type WorkerReply =
  | { kind: 'done'; step: number }
  | { kind: 'skipped'; file: SkippedFile }
  | { kind: 'failed'; code: ErrorCode; reason: string; message: string };
