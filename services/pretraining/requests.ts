import { z } from 'zod';
import { invalid, parseWith } from '#libs/core';
import { RUN_STATES, type RunState } from '#libs/experiments';
import type { pretraining } from '#libs/rpc';

/** What the contract's types do not say of a request: formats and limits. */

const createRun = z.object({
  // Named as the contract names them, which is how a client of any language knows them.
  request_id: z.union([z.literal(''), z.uuid()]),
  recipe_yaml: z.string().max(1_000_000),
  overrides: z.array(z.string().max(10_000)).max(200),
  images: z.string().min(1).max(4_096),
  // PostgreSQL keeps no NUL in text.
  name: z
    .string()
    .max(200)
    .regex(/^[^\0]*$/, 'text without NUL'),
  group: z
    .string()
    .max(200)
    .regex(/^[^\0]*$/, 'text without NUL'),
});

/** @throws ResimError `INVALID_ARGUMENT` naming every field that is wrong */
export function checkCreateRun(request: pretraining.CreateRunRequest): void {
  const { requestId, recipeYaml, overrides, images, name, group } = request;
  parseWith(createRun, { request_id: requestId, recipe_yaml: recipeYaml, overrides, images, name, group });
}

export function checkPageSize(pageSize: number): number {
  if (pageSize < 0) throw invalid('page_size', pageSize, 'at least 0', 'INVALID_PAGE_SIZE');
  return Math.min(pageSize || 50, 1_000);
}

export function checkState(state: string): RunState | undefined {
  if (state === 'STATE_UNSPECIFIED') return undefined;
  const known = RUN_STATES.find((name) => name === state);
  if (known === undefined) throw invalid('state', state, `one of ${RUN_STATES.join(', ')}`);
  return known;
}

/** A step or a sequence number, which travels as decimal text. */
export function checkCount(field: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw invalid(field, text, 'a whole number from 0 to 2^53 - 1');
  return value;
}
