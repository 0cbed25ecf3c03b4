import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DataSource } from 'typeorm';
import { type Logger, newId } from '#libs/core';
import type { CheckpointInfo } from './rank/index.js';
import { statements } from './statements.js';

const FILES = ['model.safetensors', 'state.safetensors', 'checkpoint.json'];

/**
 * Complete checkpoints in the folder of a run, oldest first. A folder gets its name when everything in it is durable, so
 * one that has the name and the files is complete.
 */
async function findCheckpoints(directory: string): Promise<{ step: number; path: string }[]> {
  const folder = join(directory, 'checkpoints');
  const names = (await readdir(folder).catch(() => [] as string[])).filter((name) => /^step-\d+$/.test(name));
  const found: { step: number; path: string }[] = [];
  for (const name of names.sort()) {
    const path = join(folder, name);
    const files = await readdir(path).catch(() => [] as string[]);
    if (FILES.every((file) => files.includes(file))) found.push({ step: Number(name.slice(5)), path });
  }
  return found.sort((a, b) => a.step - b.step);
}

async function describe(step: number, path: string): Promise<CheckpointInfo> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(join(path, 'model.safetensors'))) hash.update(chunk as Buffer);
  const sizes = await Promise.all(FILES.map(async (file) => (await stat(join(path, file))).size));
  const noted = JSON.parse(await readFile(join(path, 'checkpoint.json'), 'utf8')) as { epoch?: unknown };
  return {
    step,
    epoch: typeof noted.epoch === 'number' ? Math.trunc(noted.epoch) : 0,
    path,
    sha256: hash.digest('hex'),
    bytes: sizes.reduce((sum, size) => sum + size, 0),
  };
}

export interface ReconcileOptions {
  source: DataSource;
  runId: string;
  /** Folder of the run. */
  directory: string;
  /** Of the claim under which this is done; undefined for a run that nobody works on. */
  fence: string | undefined;
  logger: Logger;
}

/**
 * Makes the rows of a run's checkpoints agree with its folder: a process may have died between writing a checkpoint and
 * its row, and files may have been deleted, by the run itself or by hand.
 */
export async function reconcileCheckpoints(options: ReconcileOptions): Promise<void> {
  const { source, runId, directory, logger } = options;
  const found = await findCheckpoints(directory);
  const known = await knownSteps(source, runId);
  const unknown: CheckpointInfo[] = [];
  for (const { step, path } of found) {
    if (known.includes(step)) continue;
    try {
      unknown.push(await describe(step, path));
    } catch (error) {
      logger.warn(
        { runId, checkpoint: basename(path), error },
        'a checkpoint cannot be read and is left out',
      );
    }
  }
  const there = found.map(({ step }) => step);
  const lost = known.filter((step) => !there.includes(step));
  await writeDifference(options, lost, unknown);
}

/** Marks the checkpoints that a run has deleted since. Those it has not told of yet are left for it to tell. */
export async function forgetDeletedCheckpoints(options: ReconcileOptions): Promise<void> {
  // The rows first: what is written in between is in the folder and in no row, never the other way round.
  const known = await knownSteps(options.source, options.runId);
  const there = (await findCheckpoints(options.directory)).map(({ step }) => step);
  const lost = known.filter((step) => !there.includes(step));
  await writeDifference(options, lost, []);
}

async function knownSteps(source: DataSource, runId: string): Promise<number[]> {
  const rows = await source.query<{ step: string }[]>(
    `select step from checkpoint where run_id = $1 and state = 'AVAILABLE'`,
    [runId],
  );
  return rows.map(({ step }) => Number(step));
}

async function writeDifference(
  { source, runId, fence, logger }: ReconcileOptions,
  lost: number[],
  unknown: CheckpointInfo[],
): Promise<void> {
  if (lost.length === 0 && unknown.length === 0) return;
  await source.transaction(async (manager) => {
    const [run] = await manager.query<{ last_sequence: string }[]>(statements.lockUnlessHeldByAnother, [
      runId,
      fence ?? null,
    ]);
    if (run === undefined) return;
    await manager.query(statements.loseCheckpoints, [runId, lost]);
    const ids: string[] = [];
    for (const { step, epoch, path, sha256, bytes } of unknown) {
      const values = [newId(), runId, step, epoch, path, sha256, bytes];
      const [row] = await manager.query<{ id: string }[]>(statements.checkpoint, values);
      ids.push(row!.id);
    }
    if (ids.length === 0) return;
    await manager.query(statements.events, [
      runId,
      run.last_sequence,
      ids.map(() => new Date()),
      ids.map(() => 'checkpoint'),
      unknown.map(({ step }) => step),
      ids.map((id) => JSON.stringify({ id })),
    ]);
  });
  logger.info(
    { runId, lost, registered: unknown.map(({ step }) => step) },
    'checkpoints and their rows agree again',
  );
}
