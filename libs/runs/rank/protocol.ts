import type { ErrorCode, FieldViolation } from '#libs/core';

/** What a rank process and its supervisor say to each other over Node's IPC channel (structured clones, so NaN stays NaN). */

export interface StartedInfo {
  steps: number;
  firstStep: number;
}

export interface CheckpointInfo {
  /** Steps completed when it was written. */
  step: number;
  epoch: number;
  /** Absolute folder. */
  path: string;
  /** SHA-256 of `model.safetensors`, lower-case hex. */
  sha256: string;
  bytes: number;
}

/** What a run tells while it works; what the database keeps of it. */
export type RunReport =
  | { type: 'started'; info: StartedInfo }
  /** `time` in milliseconds since 1970. */
  | { type: 'metrics'; step: number; time: number; values: Record<string, number> }
  | { type: 'checkpoint'; info: CheckpointInfo }
  | { type: 'warning'; message: string };

export interface RankFailure {
  code: ErrorCode;
  reason: string;
  message: string;
  violations: FieldViolation[];
}

export type RankMessage =
  | { type: 'ready' }
  /** Is answered with `ack` when the supervisor has taken it over. */
  | { type: 'report'; report: RunReport }
  | { type: 'finished'; state: 'SUCCEEDED' | 'CANCELLED' }
  | { type: 'failed'; failure: RankFailure };

export type SupervisorMessage = { type: 'start'; job: RankJob } | { type: 'ack' } | { type: 'stop' };

/** What a rank process is to do. */
export interface RankJob {
  runId: string;
  /** The recipe as resolved. */
  recipe: unknown;
  images: string;
  /** Folder of the run; its newest complete checkpoint is where it goes on. */
  directory: string;
}
