import type { z } from 'zod';
import type { ResNetOptions } from '#libs/nn';
import type { Objective } from '../objective.js';

/** A row of the table of methods: its options, what it asks of the input side, and how it is made. */
export interface ObjectiveSpec<Options extends z.ZodObject = z.ZodObject> {
  method: string;
  /** One line for lists. */
  summary: string;
  options: Options;
  /** Names of the levels whose windows the batches must carry. */
  levels(options: z.output<Options>): readonly string[];
  create(options: z.output<Options>, trunk: ResNetOptions): Objective<never>;
}

/** Checks a row's types and forgets those of its insides, so that rows of all methods stand in one table. */
export function defineObjective<Options extends z.ZodObject, Prepared>(
  spec: Omit<ObjectiveSpec<Options>, 'create'> & {
    create(options: z.output<Options>, trunk: ResNetOptions): Objective<Prepared>;
  },
): ObjectiveSpec<Options> {
  return spec as unknown as ObjectiveSpec<Options>;
}
