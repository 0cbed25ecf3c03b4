import { z } from 'zod';
import { invalid, parseWith, ResimError } from '#libs/core';
import { RESNETS, type ResNetName } from '#libs/nn';
import { pairingSchema, type ResolvedPairing } from '#libs/pairing';
import { OBJECTIVES } from './objectives/index.js';

const methods = OBJECTIVES.map(({ method }) => method) as [string, ...string[]];

/** Everything of a recipe but the method's own options, which the table of methods checks. */
const recipeSchema = z.strictObject({
  /** Lower-case words joined with dashes. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, { error: 'lower-case words joined with dashes' }),
  /** One line for lists. */
  summary: z.string().default(''),
  /** Every random number of a run follows from it. @default 0 */
  seed: z.int().nonnegative().default(0),
  backbone: z.enum(Object.keys(RESNETS) as [ResNetName, ...ResNetName[]]).default('resnet50'),
  objective: z.looseObject({ method: z.enum(methods) }),
  pairing: pairingSchema.prefault({}),
  train: z
    .strictObject({
      /** Passes over the data set. */
      epochs: z.int().positive().default(200),
      /** Ends a run earlier; null for all epochs. The schedule is that of all epochs. @default null */
      maxSteps: z.int().positive().nullable().default(null),
      /** Samples a step, over all shards. */
      batchSize: z.int().positive().default(256),
      /** Devices to emulate: batch statistics, key shuffling and local negatives as on that many. @default 1 */
      shards: z.int().positive().default(1),
      /** `auto`: the GPU where the engine sees one, else the CPU. @default 'auto' */
      device: z.enum(['auto', 'cpu', 'cuda']).default('auto'),
      /** `auto`: bf16 where the hardware computes it, else fp32. @default 'auto' */
      precision: z.enum(['auto', 'bf16', 'fp32']).default('auto'),
      /** Steps between checkpoints; null for one after every epoch. @default null */
      checkpointEvery: z.int().positive().nullable().default(null),
      /** Checkpoints that are kept besides the newest. @default 2 */
      keepCheckpoints: z.int().nonnegative().default(2),
      /** Steps between reports. @default 1 */
      logEvery: z.int().positive().default(1),
    })
    .prefault({}),
  optim: z
    .strictObject({
      lr: z.number().positive().default(0.03),
      momentum: z.number().min(0).lt(1).default(0.9),
      /** On every parameter, norms and biases included. */
      weightDecay: z.number().nonnegative().default(1e-4),
      schedule: z.enum(['cosine', 'step', 'constant']).default('cosine'),
      /** Whether the rate changes once an epoch, as published, or every step. @default 'epoch' */
      per: z.enum(['epoch', 'step']).default('epoch'),
      warmupSteps: z.int().nonnegative().default(0),
      /** Epochs at which `step` multiplies the rate by `gamma`. */
      milestones: z.array(z.number().positive()).default([120, 160]),
      gamma: z.number().positive().default(0.1),
    })
    .prefault({}),
  /** What the literature reports for this recipe; shown beside own results, read by nothing else. */
  published: z.unknown().optional(),
});

export type ResolvedRecipe = Omit<z.output<typeof recipeSchema>, 'pairing' | 'objective'> & {
  pairing: ResolvedPairing;
  objective: { method: string } & Record<string, unknown>;
};

/** The row of the table of methods that a recipe names. */
export function objectiveSpec(method: string): (typeof OBJECTIVES)[number] {
  return OBJECTIVES.find((row) => row.method === method)!;
}

/** What no single key can tell: combinations that cannot work, refused before anything is queued. */
function checkCombinations(recipe: ResolvedRecipe, queue: unknown, levels: readonly string[]): void {
  const { batchSize, shards } = recipe.train;
  if (batchSize % shards !== 0)
    throw invalid(
      'train.batchSize',
      batchSize,
      `a multiple of train.shards (=${shards})`,
      'RECIPE_COMBINATION',
    );
  if (batchSize / shards < 2)
    throw invalid(
      'train.batchSize',
      batchSize,
      'at least 2 a shard: batch statistics of one image say nothing',
      'RECIPE_COMBINATION',
    );
  if (typeof queue === 'number' && queue % batchSize !== 0)
    throw invalid(
      'objective.queue',
      queue,
      `a multiple of train.batchSize (=${batchSize})`,
      'RECIPE_COMBINATION',
    );
  for (const name of ['query', 'key'])
    if (!recipe.pairing.views.some((view) => view.name === name))
      throw invalid(
        'pairing.views',
        recipe.pairing.views.map((view) => view.name),
        `a list with a view named ${name}`,
        'RECIPE_COMBINATION',
      );
  for (const [place, view] of recipe.pairing.views.entries())
    if (view.size % 32 !== 0)
      throw invalid(
        `pairing.views[${place}].size`,
        view.size,
        'a multiple of 32, the stride of the last map',
        'RECIPE_COMBINATION',
      );
  const given = recipe.pairing.levels.map((level) => level.name);
  for (const name of levels)
    if (!given.includes(name))
      throw invalid(
        'pairing.levels',
        given,
        `a list with a level named ${name}, which ${recipe.objective.method} reads`,
        'RECIPE_COMBINATION',
      );
}

/**
 * A recipe with every option filled in and checked.
 * @param raw the recipe as read from YAML, overrides applied
 * @throws ResimError INVALID_ARGUMENT naming every key that is wrong by its path, and what would be right
 */
export function compileRecipe(raw: unknown): ResolvedRecipe {
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw))
    throw new ResimError(
      'INVALID_ARGUMENT',
      'a recipe must be a YAML mapping with at least `name` and `objective.method`',
      {
        reason: 'RECIPE_NOT_A_MAPPING',
      },
    );
  const base = parseWith(recipeSchema, raw, { reason: 'RECIPE_INVALID' });
  const spec = objectiveSpec(base.objective.method);
  const objective = parseWith(spec.options as z.ZodObject, base.objective, {
    root: 'objective',
    reason: 'RECIPE_INVALID',
  });
  const recipe = { ...base, objective } as ResolvedRecipe;
  checkCombinations(recipe, objective['queue'], spec.levels(objective as never));
  return recipe;
}
