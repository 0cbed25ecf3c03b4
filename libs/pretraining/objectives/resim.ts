import { z } from 'zod';
import type { Tensor } from '#libs/tensor';
import { denseNegatives, regionTerm } from '../region-contrast.js';
import type { Objective, ObjectiveLoss } from '../objective.js';
import { instanceMemory, instanceTerm, type InstanceOptions } from './instance.js';

/** How one level takes part in the loss. */
export const regionLevelOptions = (negatives: 'batch' | 'shard') =>
  z
    .strictObject({
      /** Keys of the whole batch, or of the shard's own images only. As published: P4 batch, P3 shard. */
      negatives: z.enum(['batch', 'shard']).default(negatives),
      /** @default 1 */
      weight: z.number().nonnegative().default(1),
    })
    .prefault({});

export interface RegionLevel {
  name: string;
  spatialScale: number;
  negatives: 'batch' | 'shard';
  weight: number;
}

/**
 * ReSim (Xiao et al. 2021, arXiv 2103.12902), the steps that its variants share:
 *   1. the student encodes the query view, the momentum encoder the key view;
 *   2. windows of the query view and the same scene regions of the key view are pooled exactly (PrRoI) and normalised;
 *   3. every level contrasts aligned windows with the dense positions of the key maps;
 *   4. L = L_instance + the weighted sum of the levels (weights 1 as published), one direction only.
 */
export function resim(
  options: InstanceOptions & { instanceWeight: number },
  levels: readonly RegionLevel[],
  network: Objective['network'],
): Objective<Record<string, Tensor>> {
  return {
    studentViews: ['query'],
    teacher: { views: ['key'], momentum: options.momentum },
    network,
    memory: (init) => instanceMemory(init, options),
    // Every position of every key map of the batch `[N, P, C]`; a shard that keeps to its own takes its rows of it.
    prepare: (teacher) =>
      Object.fromEntries(levels.map(({ name }) => [name, denseNegatives(teacher['key']![name]!)])),
    loss: (context): ObjectiveLoss => {
      const { loss, accuracy, spread, keys } = instanceTerm(context, options.temperature);
      const terms: ObjectiveLoss['terms'] = { instance: loss.mul(options.instanceWeight) };
      const metrics: ObjectiveLoss['metrics'] = { 'accuracy/instance': accuracy, embeddingSpread: spread };
      for (const { name, spatialScale, negatives, weight } of levels) {
        const positions = context.prepared[name]!;
        const own = negatives === 'shard' ? positions.narrow(0, context.firstRow, context.rows) : positions;
        const term = regionTerm({
          queryMap: context.student['query']![name]!,
          keyMap: context.teacher['key']![name]!,
          negatives: own.reshape([-1, own.shape[2]!]),
          regions: context.regions[name]!,
          spatialScale,
          temperature: options.temperature,
        });
        terms[name] = term.loss.mul(weight);
        metrics[`accuracy/${name}`] = term.accuracy;
        metrics[`valid/${name}`] = term.valid;
      }
      return { terms, metrics, writes: { queue: keys } };
    },
  };
}
