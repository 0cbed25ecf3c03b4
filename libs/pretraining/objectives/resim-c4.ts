import { z } from 'zod';
import { Encoder } from '../encoder.js';
import { instanceOptions } from './instance.js';
import { regionLevelOptions, resim } from './resim.js';
import { defineObjective } from './spec.js';

/**
 * ReSim-C4: regions on the last map of the C4 stage through a 1x1 projection that is thrown away after pre-training.
 * A reconstruction: the projection's kernel is our choice (the original code has it as comments only).
 */
export const resimC4 = defineObjective({
  method: 'resim-c4',
  summary: 'region similarity on C4 through a 1x1 projection, with the instance term',
  options: z.strictObject({
    method: z.literal('resim-c4'),
    ...instanceOptions,
    /** Channels of the projection, which is the length of a region embedding. @default 128 */
    channels: z.int().positive().default(128),
    /** @default 1 */
    instanceWeight: z.number().nonnegative().default(1),
    c4: regionLevelOptions('batch'),
  }),
  levels: () => ['c4'],
  create: (options, trunk) =>
    resim(
      options,
      [{ name: 'c4', spatialScale: 1 / 16, ...options.c4 }],
      (init) =>
        new Encoder(init, {
          trunk,
          hidden: options.hidden,
          dim: options.dim,
          neck: { kind: 'c4', channels: options.channels },
        }),
    ),
});
