import { z } from 'zod';
import { Encoder } from '../encoder.js';
import { instanceOptions } from './instance.js';
import { regionLevelOptions, resim } from './resim.js';
import { defineObjective } from './spec.js';

/**
 * ReSim-FPN: regions on P4 and P3 of a small feature pyramid, as the original code trains it. ReSim-FPN^T is the same
 * pre-training; it differs in what is transferred (trunk alone, or trunk and pyramid).
 */
export const resimFpn = defineObjective({
  method: 'resim-fpn',
  summary: 'region similarity on P4 and P3 of a feature pyramid, with the instance term',
  options: z.strictObject({
    method: z.literal('resim-fpn'),
    ...instanceOptions,
    /** Channels of the pyramid, which is the length of a region embedding. @default 256 */
    channels: z.int().positive().default(256),
    /** @default 1 */
    instanceWeight: z.number().nonnegative().default(1),
    p4: regionLevelOptions('batch'),
    p3: regionLevelOptions('shard'),
  }),
  levels: () => ['p4', 'p3'],
  create: (options, trunk) =>
    resim(
      options,
      [
        { name: 'p4', spatialScale: 1 / 16, ...options.p4 },
        { name: 'p3', spatialScale: 1 / 8, ...options.p3 },
      ],
      (init) =>
        new Encoder(init, {
          trunk,
          hidden: options.hidden,
          dim: options.dim,
          neck: { kind: 'fpn', channels: options.channels },
        }),
    ),
});
