import type { ResolvedRecipe } from './recipe.js';

/** What a pre-training run needs to start or to go on. */
export interface PretrainOptions {
  recipe: ResolvedRecipe;
  /** Folder of images, absolute. */
  images: string;
  /** Folder that receives `checkpoints/step-XXXXXXXX/`; made when missing. */
  directory: string;
  /** Stops the run after the step under way; a checkpoint of that step is written first. */
  signal?: AbortSignal;
  /** Worker threads that decode and augment. @default the number of cores the machine has, less one, at least 1 */
  workers?: number;
  /** Threads of the tensor engine. @default the number of cores */
  threads?: number;
  events: PretrainEvents;
}

export interface CheckpointInfo {
  /** Steps completed when it was written. */
  step: number;
  epoch: number;
  /** Absolute folder of the checkpoint: `model.safetensors`, `state.safetensors`, `checkpoint.json`. */
  path: string;
  /** SHA-256 of `model.safetensors` (the weights that a detector starts from), lower-case hex. */
  sha256: string;
  bytes: number;
}

/** What a run tells while it works. Every method may return a promise; the trainer awaits it before going on. */
export interface PretrainEvents {
  /** Once, when the data set has been read and the networks stand. */
  started(info: {
    steps: number;
    stepsPerEpoch: number;
    images: number;
    skipped: number;
    firstStep: number;
  }): void | Promise<void>;
  /** After a step: `loss`, `loss/instance`, `loss/p4`, `accuracy/p4`, `valid/p4`, `lr`, `imagesPerSecond`, `dataWaitShare`, … */
  metrics(step: number, values: Record<string, number>): void | Promise<void>;
  /** When the checkpoint is durable (written, fsynced, renamed), not before. */
  checkpoint(info: CheckpointInfo): void | Promise<void>;
  /** Something a person should know and the run survives: an unreadable file, a slow loader. */
  warning(message: string): void | Promise<void>;
}

export interface PretrainResult {
  /** Steps completed in all. */
  step: number;
  state: 'SUCCEEDED' | 'CANCELLED';
  checkpoint: CheckpointInfo;
}
