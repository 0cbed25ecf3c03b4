import { z } from 'zod';
import { Encoder } from '../encoder.js';
import { defineObjective } from './spec.js';
import { instanceMemory, instanceOptions, instanceTerm } from './instance.js';

/** MoCo-v2 (Chen et al. 2020, arXiv 2003.04297): the instance term alone. */
export const mocoV2 = defineObjective({
  method: 'moco-v2',
  summary: 'instance discrimination with a queue and a momentum encoder',
  options: z.strictObject({ method: z.literal('moco-v2'), ...instanceOptions }),
  levels: () => [],
  create: (options, trunk) => ({
    studentViews: ['query'],
    teacher: { views: ['key'], momentum: options.momentum },
    network: (init) => new Encoder(init, { trunk, hidden: options.hidden, dim: options.dim, neck: null }),
    memory: (init) => instanceMemory(init, options),
    prepare: () => null,
    loss: (context) => {
      const { loss, accuracy, spread, keys } = instanceTerm(context, options.temperature);
      return {
        terms: { instance: loss },
        metrics: { 'accuracy/instance': accuracy, embeddingSpread: spread },
        writes: { queue: keys },
      };
    },
  }),
});
