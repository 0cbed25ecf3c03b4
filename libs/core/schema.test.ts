import { expect, test } from 'vitest';
import { z } from 'zod';
import { ResimError } from './errors.js';
import { parseWith } from './schema.js';

const schema = z.strictObject({
  name: z.string().min(2),
  lr: z.number().positive(),
  levels: z.array(z.strictObject({ window: z.int() })),
  state: z.enum(['ON', 'OFF']).default('OFF'),
});

function refusal(input: unknown): ResimError {
  try {
    parseWith(schema, input);
  } catch (error) {
    if (error instanceof ResimError) return error;
    throw error;
  }
  throw new Error('the input was accepted');
}

test('fills in defaults', () => {
  expect(parseWith(schema, { name: 'ab', lr: 1, levels: [] }).state).toBe('OFF');
});

test('names every wrong field with its path, its value and what would be right', () => {
  const error = refusal({ name: 'a', lr: 0, levels: [{ window: 'wide' }], state: 'HALF' });
  expect(error.code).toBe('INVALID_ARGUMENT');
  expect(error.violations).toEqual([
    { field: 'name', value: 'a', expected: 'at least 2 characters long' },
    { field: 'lr', value: 0, expected: 'more than 0' },
    { field: 'levels[0].window', value: 'wide', expected: 'a number' },
    { field: 'state', value: 'HALF', expected: 'one of "ON", "OFF"' },
  ]);
  expect(error.message).toContain('`levels[0].window` (="wide") must be a number');
});

test('an unknown key is a violation of its own', () => {
  const error = refusal({ name: 'ab', lr: 1, levels: [{ window: 1, widnow: 2 }] });
  expect(error.violations).toEqual([
    {
      field: 'levels[0].widnow',
      value: 2,
      expected: 'left out: there is no such key; the keys here are window',
    },
  ]);
});

test('a value of another kind altogether is refused too', () => {
  expect(refusal(null).violations[0]).toEqual({ field: 'value', value: null, expected: 'a group of keys' });
});
