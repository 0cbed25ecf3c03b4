import { availableParallelism } from 'node:os';
import { ResimError } from '#libs/core';
import { learningRate, RESNETS } from '#libs/nn';
import { openBatches, type OpenBatchesOptions } from '#libs/pairing';
import { engineBuild, setThreads } from '#libs/tensor';
import { newestCheckpoint, pruneCheckpoints, restoreCheckpoint, writeCheckpoint } from './checkpoint.js';
import { useBf16 } from './precision.js';
import { objectiveSpec, type ResolvedRecipe } from './recipe.js';
import type { CheckpointInfo, PretrainOptions, PretrainResult } from './run.js';
import { Trainer } from './trainer.js';

/** Where a recipe is to be computed. @throws ResimError FAILED_PRECONDITION for a GPU that the engine does not see */
function chooseDevice(device: 'auto' | 'cpu' | 'cuda'): string {
  const { cuda } = engineBuild();
  if (device === 'cuda' && !cuda)
    throw new ResimError(
      'FAILED_PRECONDITION',
      'train.device is cuda, but the engine sees no GPU: RESIM_LIBTORCH must name a CUDA build of libtorch, and the driver must fit it',
      { reason: 'NO_GPU' },
    );
  return device === 'auto' ? (cuda ? 'cuda' : 'cpu') : device;
}

/** The trainer that a recipe asks for, with its first weights. */
export function createTrainer(recipe: ResolvedRecipe): Trainer {
  const device = chooseDevice(recipe.train.device);
  const spec = objectiveSpec(recipe.objective.method);
  return new Trainer({
    objective: spec.create(recipe.objective as never, RESNETS[recipe.backbone]),
    seed: recipe.seed,
    batchSize: recipe.train.batchSize,
    shards: recipe.train.shards,
    optim: recipe.optim,
    bf16: useBf16(recipe.train.precision, device),
    device,
  });
}

/** What the run spent its time on since it last reported. */
class Pace {
  private began = performance.now();
  private waited = 0;
  private images = 0;

  async waitFor<T>(work: Promise<T>): Promise<T> {
    const begin = performance.now();
    const result = await work;
    this.waited += performance.now() - begin;
    return result;
  }

  count(images: number): void {
    this.images += images;
  }

  /** Since the last call; these two are of the clock, all else that a run reports is a function of its inputs. */
  report(): { imagesPerSecond: number; dataWaitShare: number } {
    const elapsed = Math.max(performance.now() - this.began, 1e-3);
    const report = { imagesPerSecond: (1000 * this.images) / elapsed, dataWaitShare: this.waited / elapsed };
    this.began = performance.now();
    this.waited = 0;
    this.images = 0;
    return report;
  }
}

/**
 * Pre-trains from a folder of images, from the newest checkpoint of `directory` if there is one. An interrupted run
 * that goes on ends with the same weights, bit for bit, as one that was never interrupted.
 *
 * @throws ResimError INVALID_ARGUMENT for a folder without readable images, DATA_LOSS when every checkpoint is damaged,
 *   FAILED_PRECONDITION when the loss is not finite
 */
export async function pretrain(options: PretrainOptions): Promise<PretrainResult> {
  const { recipe, images, directory, signal, events } = options;
  setThreads(options.threads ?? availableParallelism());
  const found = await newestCheckpoint(directory, (message) => events.warning(message));
  const firstStep = found?.info.step ?? 0;
  const batching: OpenBatchesOptions = {
    images,
    pairing: recipe.pairing,
    seed: recipe.seed,
    batchSize: recipe.train.batchSize,
    startStep: firstStep,
    workers: options.workers ?? Math.max(1, availableParallelism() - 1),
    onWarning: (message) => void events.warning(message),
  };
  const source = await openBatches(batching);
  const trainer = createTrainer(recipe);
  try {
    if (found) {
      restoreCheckpoint(trainer, found);
      if (found.images !== source.images)
        await events.warning(
          `the data set had ${found.images} images when the checkpoint was written and has ${source.images} now: ` +
            'the run goes on, and is not the one that it would have been',
        );
    }
    const { stepsPerEpoch } = source;
    const { epochs, maxSteps, checkpointEvery, keepCheckpoints, logEvery } = recipe.train;
    const steps = Math.min(epochs * stepsPerEpoch, maxSteps ?? Infinity);
    await events.started({ steps, stepsPerEpoch, images: source.images, skipped: source.skipped, firstStep });

    let checkpoint: CheckpointInfo | undefined = found?.info;
    const pace = new Pace();
    for (let step = firstStep; step < steps; step++) {
      const batch = await pace.waitFor(source.next());
      const lr = learningRate({ ...recipe.optim, kind: recipe.optim.schedule }, recipe.optim.lr, {
        step,
        stepsPerEpoch,
        epochs,
      });
      const { metrics } = trainer.step(batch, { lr, place: { step, stepsPerEpoch, epochs } });
      source.release?.(batch);
      pace.count(batch.count);
      const done = step + 1;
      const last = done === steps || signal?.aborted === true;
      if (done % logEvery === 0 || last) {
        const fill = trainer.memory['queue']?.fill();
        const queueFill = typeof fill === 'number' && { queueFill: fill };
        await events.metrics(done, { ...metrics, lr, ...queueFill, ...pace.report() });
      }
      if (last || done % (checkpointEvery ?? stepsPerEpoch) === 0) {
        const progress = {
          step: done,
          epoch: Math.floor(done / stepsPerEpoch),
          images: source.images,
          recipe,
        };
        checkpoint = await writeCheckpoint(directory, trainer, progress);
        await events.checkpoint(checkpoint);
        await pruneCheckpoints(directory, keepCheckpoints + 1);
      }
      if (last && done < steps) return { step: done, state: 'CANCELLED', checkpoint: checkpoint! };
      // Node hears its parent only when the event loop turns.
      await new Promise(setImmediate);
    }
    checkpoint ??= await writeCheckpoint(directory, trainer, {
      step: firstStep,
      epoch: 0,
      images: source.images,
      recipe,
    });
    return { step: steps, state: 'SUCCEEDED', checkpoint };
  } finally {
    await source.close();
    trainer.dispose();
  }
}
