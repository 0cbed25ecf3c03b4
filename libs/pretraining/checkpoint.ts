import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { parseWith, ResimError } from '#libs/core';
import { loadTensors, noGrad, saveTensors, tidy, type Tensor } from '#libs/tensor';
import type { ResolvedRecipe } from './recipe.js';
import type { CheckpointInfo } from './run.js';
import type { Trainer } from './trainer.js';

/**
 * A checkpoint is a folder `step-00000123` that exists when it is durable: it is written under another name, every
 * file and the folder are fsynced, then it is renamed. It holds
 *   model.safetensors   the student's weights and running statistics, by torchvision's names
 *   state.safetensors   what else a run needs to go on: teacher, velocities, memories
 *   checkpoint.json     step, recipe, and the hash of each file, by which a damaged one is told
 */
const MODEL = 'model.safetensors';
const STATE = 'state.safetensors';
const MANIFEST = 'checkpoint.json';

const fileEntry = z.object({ sha256: z.string(), bytes: z.number() });
const manifestSchema = z.object({
  format: z.literal(1),
  step: z.int().nonnegative(),
  epoch: z.int().nonnegative(),
  /** Images of the data set: batches are the same only over the same images. */
  images: z.int().nonnegative(),
  recipe: z.looseObject({ name: z.string() }),
  /** Where each memory stands. */
  memory: z.record(z.string(), z.record(z.string(), z.number())),
  files: z.record(z.string(), fileEntry),
});
type Manifest = z.output<typeof manifestSchema>;

export interface Progress {
  /** Steps completed. */
  step: number;
  epoch: number;
  images: number;
  recipe: ResolvedRecipe;
}

function* stateTensors(trainer: Trainer): Generator<[string, Tensor]> {
  for (const [name, tensor] of trainer.teacher?.state() ?? []) yield [`teacher/${name}`, tensor];
  for (const [name, tensor] of trainer.optimizer.state()) yield [`velocity/${name}`, tensor];
  for (const [name, { entries }] of Object.entries(trainer.memory)) yield [`memory/${name}`, entries];
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

function nameOf(step: number): string {
  return `step-${String(step).padStart(8, '0')}`;
}

/**
 * Writes a checkpoint into `directory/checkpoints` and gives its description when it is durable.
 * @throws ResimError RESOURCE_EXHAUSTED on a full disk; older checkpoints are untouched then
 */
export async function writeCheckpoint(
  directory: string,
  trainer: Trainer,
  progress: Progress,
): Promise<CheckpointInfo> {
  const parent = join(directory, 'checkpoints');
  const path = join(parent, nameOf(progress.step));
  const partial = join(parent, `.${nameOf(progress.step)}.partial`);
  await mkdir(parent, { recursive: true });
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial);
  const about = { recipe: progress.recipe.name, step: String(progress.step) };
  const model = await saveTensors(join(partial, MODEL), trainer.student.state(), about);
  const state = await saveTensors(join(partial, STATE), stateTensors(trainer), about);
  const manifest: Manifest = {
    format: 1,
    step: progress.step,
    epoch: progress.epoch,
    images: progress.images,
    recipe: progress.recipe,
    memory: Object.fromEntries(
      Object.entries(trainer.memory).map(([name, store]) => [name, store.position()]),
    ),
    files: { [MODEL]: model, [STATE]: state },
  };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  await writeDurably(join(partial, MANIFEST), text);
  await syncFolder(partial);
  // A step that is done again after a crash gives the same files; the newer writing stands.
  await rm(path, { recursive: true, force: true });
  await rename(partial, path);
  await syncFolder(parent);
  return {
    step: progress.step,
    epoch: progress.epoch,
    path,
    sha256: model.sha256,
    bytes: model.bytes + state.bytes + Buffer.byteLength(text),
  };
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** A checkpoint whose files are what they were when it was written. */
export interface FoundCheckpoint {
  info: CheckpointInfo;
  images: number;
  memory: Manifest['memory'];
}

/**
 * Reads a checkpoint's manifest and proves its files against it.
 * @throws ResimError DATA_LOSS naming the file that is missing, cut short or changed
 */
export async function verifyCheckpoint(path: string): Promise<FoundCheckpoint> {
  const damaged = (what: string, cause?: unknown) =>
    new ResimError('DATA_LOSS', `the checkpoint ${path} is damaged: ${what}`, {
      reason: 'CHECKPOINT_DAMAGED',
      cause,
    });
  let manifest: Manifest;
  let text: string;
  try {
    text = await readFile(join(path, MANIFEST), 'utf8');
    manifest = parseWith(manifestSchema, JSON.parse(text));
  } catch (cause) {
    throw damaged(`${MANIFEST} cannot be read`, cause);
  }
  let bytes = Buffer.byteLength(text);
  for (const name of [MODEL, STATE]) {
    const entry = manifest.files[name];
    if (!entry) throw damaged(`${MANIFEST} does not speak of ${name}`);
    const found = await hashOf(join(path, name)).catch((cause: unknown) => {
      throw damaged(`${name} cannot be read`, cause);
    });
    if (found !== entry.sha256) throw damaged(`${name} is cut short or was changed`);
    bytes += entry.bytes;
  }
  const { step, epoch, images, memory, files } = manifest;
  return { info: { step, epoch, path, sha256: files[MODEL]!.sha256, bytes }, images, memory };
}

/** Folders of complete checkpoints under a run's directory, newest first. */
export async function listCheckpoints(directory: string): Promise<string[]> {
  const parent = join(directory, 'checkpoints');
  const names = await readdir(parent).catch(() => [] as string[]);
  return names
    .filter((name) => /^step-\d{8,}$/.test(name))
    .sort((a, b) => Number(b.slice(5)) - Number(a.slice(5)))
    .map((name) => join(parent, name));
}

/**
 * The newest checkpoint that is whole, null when there is none at all. Damaged ones are passed over and told.
 * @throws ResimError DATA_LOSS when there are checkpoints and every one is damaged: starting anew in silence would
 *   throw the run's past away
 */
export async function newestCheckpoint(
  directory: string,
  warn: (message: string) => unknown,
): Promise<FoundCheckpoint | null> {
  let last: ResimError | undefined;
  for (const path of await listCheckpoints(directory)) {
    try {
      return await verifyCheckpoint(path);
    } catch (error) {
      if (!(error instanceof ResimError)) throw error;
      last = error;
      await warn(`${error.message}; going back to the one before`);
    }
  }
  if (last) throw last;
  return null;
}

/** Puts a trainer into the state of a checkpoint. @throws ResimError DATA_LOSS when it is of another network */
export function restoreCheckpoint(trainer: Trainer, { info, memory }: FoundCheckpoint): void {
  tidy(() => {
    trainer.student.load(loadTensors(join(info.path, MODEL)).tensors);
    const { tensors } = loadTensors(join(info.path, STATE));
    const under = (prefix: string) =>
      new Map(
        Array.from(tensors).flatMap(([name, value]) =>
          name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
        ),
      );
    trainer.teacher?.load(under('teacher/'));
    const copy = (target: Tensor, name: string) => {
      const value = tensors.get(name);
      if (!value || value.shape.join() !== target.shape.join())
        throw new ResimError('DATA_LOSS', `the checkpoint ${info.path} has no fitting ${name}`, {
          reason: 'CHECKPOINT_MISFIT',
        });
      noGrad(() => target.copy_(value));
    };
    for (const [name, velocity] of trainer.optimizer.state()) copy(velocity, `velocity/${name}`);
    for (const [name, store] of Object.entries(trainer.memory)) {
      copy(store.entries, `memory/${name}`);
      store.restore(memory[name] ?? {});
    }
  });
}

/** Deletes all but the newest `keep` checkpoints. */
export async function pruneCheckpoints(directory: string, keep: number): Promise<void> {
  for (const path of (await listCheckpoints(directory)).slice(keep))
    await rm(path, { recursive: true, force: true });
}
