import { z } from 'zod';

/**
 * The resources of REST `/v1` as JSON: one schema each, from which the gateway validates and documents and the
 * clients take their types. 64-bit integers of the gRPC contract are JSON numbers here: steps, sequences and sizes
 * stay far below 2^53, and a seed above it is refused when a run is made. Times are RFC 3339 in UTC.
 */

const count = z.int().min(0);
const time = z.iso.datetime();

export const runStates = ['PENDING', 'RUNNING', 'CANCELLING', 'SUCCEEDED', 'FAILED', 'CANCELLED'] as const;
export const runState = z.enum(runStates).meta({ id: 'RunState', description: 'Where a run stands.' });
export type RunState = z.output<typeof runState>;

/** Whether a run in this state does nothing more unless it is resumed. */
export function hasEnded(state: RunState): boolean {
  return state === 'SUCCEEDED' || state === 'FAILED' || state === 'CANCELLED';
}

export const metricValue = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])]).meta({
  id: 'MetricValue',
  description: 'A number; the three values that JSON has no number for are written as texts.',
});
export type MetricValue = z.output<typeof metricValue>;

export const metricValues = z.record(z.string(), metricValue);
export type MetricValues = z.output<typeof metricValues>;

export const checkpoint = z
  .object({
    id: z.string(),
    runId: z.string(),
    step: count.meta({ description: 'Steps completed when it was written.' }),
    epoch: count,
    path: z.string().meta({ description: 'Folder on the machine of the service.' }),
    sha256: z.string().meta({ description: 'SHA-256 of `model.safetensors`, lower-case hex.' }),
    sizeBytes: count,
    createTime: time.nullable(),
  })
  .meta({ id: 'Checkpoint' });
export type Checkpoint = z.output<typeof checkpoint>;

export const run = z
  .object({
    id: z.string().meta({ description: 'UUID; empty in the answer to a request that only validates.' }),
    name: z.string(),
    group: z.string(),
    state: runState,
    recipe: z.string().meta({ description: 'Name of the recipe.' }),
    resolvedRecipe: z
      .record(z.string(), z.unknown())
      .meta({ description: 'The recipe as resolved: every option with its value.' }),
    images: z.string().meta({ description: 'Folder of images, absolute, on the machine of the service.' }),
    seed: z.int(),
    step: count.meta({ description: 'Steps completed.' }),
    totalSteps: count.meta({ description: 'Steps in all; 0 until known.' }),
    metrics: metricValues.meta({ description: 'Latest value of each metric series.' }),
    attempt: count.meta({ description: 'Times it was started.' }),
    error: z.string().meta({ description: 'Why it failed; empty otherwise.' }),
    createTime: time.nullable(),
    startTime: time.nullable(),
    endTime: time.nullable(),
    checkpoint: checkpoint.nullable().meta({ description: 'The newest checkpoint.' }),
  })
  .meta({ id: 'Run' });
export type Run = z.output<typeof run>;

export const runList = z
  .object({ runs: z.array(run), nextPageToken: z.string().meta({ description: 'Empty on the last page.' }) })
  .meta({ id: 'RunList' });
export type RunList = z.output<typeof runList>;

export const checkpointList = z.object({ checkpoints: z.array(checkpoint) }).meta({ id: 'CheckpointList' });
export type CheckpointList = z.output<typeof checkpointList>;

export const metricPoint = z
  .object({ step: count, value: metricValue, time: time.nullable() })
  .meta({ id: 'MetricPoint' });

export const metricSeriesList = z
  .object({
    series: z.array(z.object({ key: z.string(), points: z.array(metricPoint) }).meta({ id: 'MetricSeries' })),
  })
  .meta({ id: 'MetricSeriesList' });
export type MetricSeriesList = z.output<typeof metricSeriesList>;

export const createRun = z
  .strictObject({
    recipe: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .meta({
        description: 'Name of a recipe of the suite; either this or `recipeYaml`.',
        examples: ['resim-fpn'],
      }),
    recipeYaml: z.string().min(1).optional().meta({ description: 'A whole recipe as YAML.' }),
    overrides: z
      .array(z.string())
      .max(200)
      .default([])
      .meta({ description: 'Changes to the recipe, `key=value`.', examples: [['optim.lr=0.06']] }),
    images: z
      .string()
      .min(1)
      .meta({ description: 'Folder of images, absolute, on the machine of the service.' }),
    name: z.string().max(200).default(''),
    group: z.string().max(200).default(''),
    requestId: z.uuid().optional().meta({
      description:
        'Made by the client, so that a retry does not make a second run. The same as `Idempotency-Key`.',
    }),
    validateOnly: z
      .boolean()
      .default(false)
      .meta({ description: 'Resolve and check everything, queue nothing.' }),
  })
  .refine((body) => (body.recipe === undefined) !== (body.recipeYaml === undefined), {
    path: ['recipe'],
    message: 'given, or else `recipeYaml`, and not both',
  })
  .meta({ id: 'CreateRun' });
export type CreateRun = z.input<typeof createRun>;

export const recipeSummary = z
  .object({ name: z.string(), summary: z.string() })
  .meta({ id: 'RecipeSummary' });
export const recipeList = z.object({ recipes: z.array(recipeSummary) }).meta({ id: 'RecipeList' });
export type RecipeList = z.output<typeof recipeList>;

export const recipe = z
  .object({
    name: z.string(),
    summary: z.string(),
    yaml: z.string().meta({ description: 'The recipe as it is written.' }),
    resolved: z.record(z.string(), z.unknown()).meta({ description: 'Every option with its value.' }),
  })
  .meta({ id: 'Recipe' });
export type Recipe = z.output<typeof recipe>;
