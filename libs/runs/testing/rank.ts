import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ResimError } from '#libs/core';
import { runRank } from '../rank/index.js';

/**
 * A rank process whose "weights" are a chain of hashes, so that any step lost, doubled or done out of order shows in the
 * last one. For tests of what is around a training.
 */
export interface ChainRecipe {
  name: string;
  seed: number;
  steps: number;
  /** Steps between two checkpoints. */
  every: number;
  /** Milliseconds a step takes. */
  delay: number;
  /** Ends the process with this status before this step, unless it has a checkpoint by then. */
  dieAt?: number;
  /** Throws this instead of doing the first step. */
  refuse?: { code: 'INVALID_ARGUMENT' | 'UNAVAILABLE'; message: string };
  /** Checkpoints it keeps; all when undefined. */
  keep?: number;
  /** Takes no notice of being asked to stop. */
  deaf?: boolean;
}

/** The chain after so many steps, and the loss that each step reports. */
export function chain(seed: number, steps: number): { hash: string; losses: number[] } {
  let hash = createHash('sha256').update(String(seed)).digest('hex');
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++) {
    hash = next(hash, step);
    losses.push(loss(hash));
  }
  return { hash, losses };
}

function next(hash: string, step: number): string {
  return createHash('sha256').update(`${hash} ${step}`).digest('hex');
}

function loss(hash: string): number {
  return parseInt(hash.slice(0, 12), 16) / 2 ** 48;
}

function writeCheckpoint(directory: string, step: number, hash: string) {
  const folder = join(directory, 'checkpoints');
  const path = join(folder, `step-${String(step).padStart(8, '0')}`);
  const aside = join(folder, `.writing-${step}-${process.pid}`);
  if (!existsSync(path)) {
    mkdirSync(aside, { recursive: true });
    writeFileSync(join(aside, 'model.safetensors'), hash);
    writeFileSync(join(aside, 'state.safetensors'), hash);
    writeFileSync(join(aside, 'checkpoint.json'), JSON.stringify({ step, epoch: 0 }));
    renameSync(aside, path);
  }
  return {
    step,
    epoch: 0,
    path,
    sha256: createHash('sha256').update(hash).digest('hex'),
    bytes: hash.length,
  };
}

function newest(directory: string): { step: number; hash: string } | undefined {
  const folder = join(directory, 'checkpoints');
  const name = existsSync(folder)
    ? readdirSync(folder)
        .filter((entry) => entry.startsWith('step-'))
        .sort()
        .at(-1)
    : undefined;
  return (
    (name && {
      step: Number(name.slice(5)),
      hash: readFileSync(join(folder, name, 'model.safetensors'), 'utf8'),
    }) ||
    undefined
  );
}

function prune(directory: string, keep: number): void {
  const folder = join(directory, 'checkpoints');
  const names = readdirSync(folder)
    .filter((entry) => entry.startsWith('step-'))
    .sort();
  for (const name of names.slice(0, -keep)) rmSync(join(folder, name), { recursive: true });
}

// Tests import `chain` from here as well; only a supervisor's child does the work.
if (process.send !== undefined && process.argv[1]?.endsWith(join('testing', 'rank.js'))) {
  runRank(async (job, { signal, events }) => {
    const { seed, steps, every, delay, dieAt, refuse, deaf, keep } = job.recipe as ChainRecipe;
    if (refuse) throw new ResimError(refuse.code, refuse.message);
    const from = newest(job.directory);
    let { step, hash } = from ?? { step: 0, hash: chain(seed, 0).hash };
    await events.started({ steps, firstStep: step });
    while (step < steps) {
      if (step + 1 === dieAt && from === undefined) process.exit(3);
      if (delay > 0) await sleep(delay);
      hash = next(hash, ++step);
      await events.metrics(step, {
        loss: loss(hash),
        'loss/p4': step === 3 ? NaN : loss(hash) / 2,
        imagesPerSecond: Date.now() % 97,
      });
      const stop = signal.aborted && !deaf;
      if (step % every === 0 || step === steps || stop) {
        await events.checkpoint(writeCheckpoint(job.directory, step, hash));
        if (keep !== undefined) prune(job.directory, keep);
      }
      if (stop && step < steps) return 'CANCELLED';
    }
    return 'SUCCEEDED';
  });
}
