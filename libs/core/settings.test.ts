import { expect, test } from 'vitest';
import { z } from 'zod';
import {
  addressSetting,
  canonicalJson,
  fingerprint,
  isLoopback,
  isUuid,
  newId,
  readConfig,
} from './index.js';

const schema = z.object({
  RESIM_A: addressSetting.default('127.0.0.1:1'),
  RESIM_B: z.coerce.number().int().max(9).default(3),
});

test('settings come from the environment; an empty one counts as not set, others are left alone', () => {
  expect(readConfig(schema, { RESIM_A: 'host:80', RESIM_B: '', PATH: '/bin' })).toEqual({
    RESIM_A: 'host:80',
    RESIM_B: 3,
  });
});

test('every wrong setting is named with its value', () => {
  expect(() => readConfig(schema, { RESIM_A: 'host', RESIM_B: '10' })).toThrow(
    '`RESIM_A` (="host") must be an address such as 127.0.0.1:50051; `RESIM_B` (="10") must be at most 9',
  );
});

test('an address is of this machine alone when its host is', () => {
  expect(['127.0.0.1:1', '127.9.9.9:1', 'localhost:1', '[::1]:1'].map(isLoopback)).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(['0.0.0.0:1', '[::]:1', '10.0.0.1:1', 'localhost.example:1'].map(isLoopback)).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

test('ids are UUIDs, and later ones sort later', () => {
  const ids = [1_000, 2_000, 1_764_000_000_000, 2 ** 47].map((time) => newId(time));
  expect(ids.every(isUuid)).toBe(true);
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(Array.from({ length: 1_000 }, () => newId(1))).size).toBe(1_000);
  expect(isUuid(`${newId()}x`)).toBe(false);
});

test('equal values have equal fingerprints, whatever the order of their keys', () => {
  expect(fingerprint({ a: 1, b: [{ c: 2, d: null }] })).toBe(fingerprint({ b: [{ d: null, c: 2 }], a: 1 }));
  expect(fingerprint({ a: [1, 2] })).not.toBe(fingerprint({ a: [2, 1] }));
  expect(canonicalJson({ b: 1, a: { d: 1, c: 2 } })).toBe('{"a":{"c":2,"d":1},"b":1}');
});
