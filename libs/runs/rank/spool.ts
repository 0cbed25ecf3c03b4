import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepMetrics } from '#libs/experiments';

/**
 * The metrics of a run on disk until the database has them. A run that goes on from a checkpoint does not do the steps
 * before it again, so their metrics must outlive the process that was to write them: they are put here before the
 * checkpoint is written, by the process that writes it. One file from checkpoint to checkpoint, named by its first step.
 */
export class MetricSpool {
  readonly #folder: string;
  #file: number | undefined;

  constructor(directory: string) {
    this.#folder = join(directory, 'spool');
    mkdirSync(this.#folder, { recursive: true });
  }

  append(metrics: StepMetrics): void {
    const name = `${String(metrics.step).padStart(12, '0')}.jsonl`;
    this.#file ??= openSync(join(this.#folder, name), 'a');
    writeSync(this.#file, `${JSON.stringify(metrics, spell)}\n`);
  }

  /** Begins a new file with the next step. */
  rotate(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

/** JSON has no NaN and no infinities. */
function spell(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

async function segments(directory: string): Promise<{ path: string; firstStep: number }[]> {
  const folder = join(directory, 'spool');
  const names = await readdir(folder).catch(() => [] as string[]);
  return names
    .filter((name) => /^\d+\.jsonl$/.test(name))
    .map((name) => ({ path: join(folder, name), firstStep: parseInt(name, 10) }))
    .sort((a, b) => a.firstStep - b.firstStep);
}

/** What was spooled, in order of steps. A line cut short by the death of its writer is left out. */
export async function* readSpool(directory: string): AsyncGenerator<StepMetrics> {
  for (const { path } of await segments(directory)) {
    for (const line of (await readFile(path, 'utf8')).split('\n')) {
      const metrics = parse(line);
      if (metrics !== undefined) yield metrics;
    }
  }
}

function parse(line: string): StepMetrics | undefined {
  if (!line.endsWith('}')) return undefined;
  try {
    const { step, time, values } = JSON.parse(line) as StepMetrics;
    const numbers = Object.entries(values).map(([key, value]) => [key, Number(value)]);
    return { step, time, values: Object.fromEntries(numbers) as Record<string, number> };
  } catch {
    return undefined;
  }
}

/** Deletes the files of which the database has every step; all but the one that is being written, at most. */
export async function trimSpool(directory: string, writtenStep: number): Promise<void> {
  const all = await segments(directory);
  const done = all.filter(
    (_, index) => index + 1 < all.length && all[index + 1]!.firstStep <= writtenStep + 1,
  );
  await Promise.all(done.map(({ path }) => rm(path, { force: true })));
}

export async function clearSpool(directory: string): Promise<void> {
  await rm(join(directory, 'spool'), { recursive: true, force: true });
}
