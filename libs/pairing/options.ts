import { z } from 'zod';
import { parseWith } from '#libs/core';

/**
 * What a recipe says about its views, under `pairing:`. `size`, `crop` and `ops` at the top are what a view has that
 * says nothing else. The defaults are ReSim's: one flip shared by both views and made before cropping, then crop, blur,
 * colour jitter and grayscale. MoCo-v2's own order is `ops: [jitter, grayscale, blur]` with `flip.mode: independent`.
 */

const probability = z.number().min(0).max(1);
const range = (low: number, high: number) =>
  z
    .tuple([z.number().min(low).max(high), z.number().min(low).max(high)])
    .refine(([from, to]) => from <= to, 'two numbers, the smaller one first');

const blur = z.strictObject({
  op: z.literal('blur'),
  p: probability.default(0.5),
  /** Standard deviation in pixels of the view, drawn uniformly. */
  sigma: range(0, 64).default([0.1, 2]),
  /** `pillow` is the approximation by boxes that the published models saw; `gaussian` the true one. */
  kernel: z.enum(['pillow', 'gaussian']).default('pillow'),
});
const jitter = z.strictObject({
  op: z.literal('jitter'),
  p: probability.default(0.8),
  /** Factor drawn from [max(0, 1 - x), 1 + x]. */
  brightness: z.number().min(0).max(100).default(0.4),
  contrast: z.number().min(0).max(100).default(0.4),
  saturation: z.number().min(0).max(100).default(0.4),
  /** Shift drawn from [-x, x], in turns of the colour circle. */
  hue: z.number().min(0).max(0.5).default(0.1),
});
const grayscale = z.strictObject({ op: z.literal('grayscale'), p: probability.default(0.2) });
const solarize = z.strictObject({
  op: z.literal('solarize'),
  p: probability.default(0.2),
  /** Values from here on are inverted. */
  threshold: z.int().min(0).max(256).default(128),
});

const operation = z.discriminatedUnion('op', [blur, jitter, grayscale, solarize]);
const crop = z.strictObject({
  /** Share of the image's area, drawn uniformly. */
  scale: range(0, 1).default([0.2, 1]),
  /** Width over height, drawn uniformly in its logarithm. */
  ratio: range(0.01, 100).default([3 / 4, 4 / 3]),
});
const name = z.string().regex(/^[a-z][a-z0-9_]{0,31}$/, 'a short lower-case name');
const size = z.int().min(8).max(2048);
const operations = z.array(operation).max(16);

const DEFAULT_OPERATIONS: z.input<typeof operations> = [
  { op: 'blur' },
  { op: 'jitter' },
  { op: 'grayscale' },
];
const DEFAULT_LEVELS = [
  { name: 'p4', window: 48, stride: 32 },
  { name: 'p3', window: 32, stride: 24 },
];

const shape = z.strictObject({
  /** Side of the views in pixels. */
  size: size.default(224),
  crop: crop.prefault({}),
  ops: operations.prefault(DEFAULT_OPERATIONS),
  views: z
    .array(z.strictObject({ name, size: size.optional(), crop: crop.optional(), ops: operations.optional() }))
    .min(1)
    .max(16)
    .default([{ name: 'query' }, { name: 'key' }]),
  flip: z
    .strictObject({
      /** `shared`: one draw, made on the image before cropping; `independent`: one a view, made after it. */
      mode: z.enum(['shared', 'independent', 'none']).default('shared'),
      p: probability.default(0.5),
    })
    .prefault({}),
  /** Grids of windows over the first view, mapped into the second. */
  levels: z
    .array(z.strictObject({ name, window: z.int().min(1).max(2048), stride: z.int().min(1).max(2048) }))
    .max(8)
    .default(DEFAULT_LEVELS),
});

export type ResolvedOperation = z.output<typeof operation>;
export type FlipMode = 'shared' | 'independent' | 'none';

export interface ResolvedView {
  name: string;
  size: number;
  crop: { scale: [low: number, high: number]; ratio: [low: number, high: number] };
  ops: ResolvedOperation[];
}

export interface ResolvedLevel {
  name: string;
  /** Side of a window and distance from one to the next, in pixels of the first view. */
  window: number;
  stride: number;
}

/** Every choice made, nothing optional; plain JSON, and itself valid input of the schema. */
export interface ResolvedPairing {
  views: ResolvedView[];
  flip: { mode: FlipMode; p: number };
  levels: ResolvedLevel[];
}

function checkNames(items: { name: string }[], path: string, context: z.RefinementCtx): void {
  items.forEach((item, index) => {
    if (items.findIndex((other) => other.name === item.name) < index) {
      context.addIssue({
        code: 'custom',
        path: [path, index, 'name'],
        message: 'a name that no other one has',
      });
    }
  });
}

/** The schema of a recipe's `pairing` section; its output is a `ResolvedPairing`. */
export const pairingSchema = shape
  .superRefine((input, context) => {
    checkNames(input.views, 'views', context);
    checkNames(input.levels, 'levels', context);
    if (input.levels.length > 0 && input.views.length < 2) {
      context.addIssue({ code: 'custom', path: ['levels'], message: 'empty when there is one view' });
    }
    const first = input.views[0].size ?? input.size;
    input.levels.forEach((level, index) => {
      if (level.window >= first) {
        context.addIssue({
          code: 'custom',
          path: ['levels', index, 'window'],
          message: `smaller than the view (${first} pixels)`,
        });
      }
    });
  })
  .transform((input): ResolvedPairing => ({
    views: input.views.map((view) => ({
      name: view.name,
      size: view.size ?? input.size,
      crop: view.crop ?? input.crop,
      ops: view.ops ?? input.ops,
    })),
    flip: input.flip,
    levels: input.levels,
  }));

/** What a user may write: every key is optional. */
export type PairingOptions = z.input<typeof pairingSchema>;

/**
 * Checks what a user wrote and fills in the rest.
 * @throws ResimError INVALID_ARGUMENT naming every key that is wrong
 */
export function resolvePairing(input: PairingOptions = {}): ResolvedPairing {
  return parseWith(pairingSchema, input, { root: 'pairing', reason: 'PAIRING_INVALID' });
}
