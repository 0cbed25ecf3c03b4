import { describe, expect, it } from 'vitest';
import { ResimError } from '#libs/core';
import { resolvePairing, type PairingOptions } from './options.js';

function refusal(input: unknown): ResimError {
  try {
    resolvePairing(input as PairingOptions);
  } catch (error) {
    if (error instanceof ResimError) return error;
  }
  throw new Error('was accepted');
}

describe('pairing options', () => {
  it('are those of the published code when nothing is said', () => {
    const { views, flip, levels } = resolvePairing();
    expect(views.map(({ name, size }) => [name, size])).toEqual([
      ['query', 224],
      ['key', 224],
    ]);
    expect(views[0].crop).toEqual({ scale: [0.2, 1], ratio: [3 / 4, 4 / 3] });
    expect(views[1].ops).toEqual([
      { op: 'blur', p: 0.5, sigma: [0.1, 2], kernel: 'pillow' },
      { op: 'jitter', p: 0.8, brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
      { op: 'grayscale', p: 0.2 },
    ]);
    expect(flip).toEqual({ mode: 'shared', p: 0.5 });
    expect(levels).toEqual([
      { name: 'p4', window: 48, stride: 32 },
      { name: 'p3', window: 32, stride: 24 },
    ]);
  });

  it('let every view have its own', () => {
    const { views } = resolvePairing({
      size: 96,
      views: [{ name: 'query' }, { name: 'key', size: 64, ops: [] }],
    });
    expect(views.map(({ size, ops }) => [size, ops.length])).toEqual([
      [96, 3],
      [64, 0],
    ]);
  });

  it('stay the same when resolved again', () => {
    const resolved = resolvePairing({ size: 128 });
    expect(resolvePairing(JSON.parse(JSON.stringify(resolved)) as PairingOptions)).toEqual(resolved);
  });

  it.each([
    [{ sizes: 224 }, 'pairing.sizes'],
    [{ size: '224' }, 'pairing.size'],
    [{ ops: [{ op: 'blur', p: 2 }] }, 'pairing.ops[0].p'],
    [{ ops: [{ op: 'blur', sigma: [2, 1] }] }, 'pairing.ops[0].sigma'],
    [{ ops: [{ op: 'blurr' }] }, 'pairing.ops[0].op'],
    [{ levels: [{ name: 'p4', window: 300, stride: 32 }] }, 'pairing.levels[0].window'],
    [{ levels: [{ name: 'p4', window: 48, stride: 0 }] }, 'pairing.levels[0].stride'],
    [{ views: [{ name: 'query' }, { name: 'query' }] }, 'pairing.views[1].name'],
    [{ views: [{ name: 'query' }] }, 'pairing.levels'],
    [{ flip: { mode: 'both' } }, 'pairing.flip.mode'],
  ])('refuse %j, naming the key', (input, field) => {
    const error = refusal(input);
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.violations.map((violation) => violation.field)).toContain(field);
    expect(error.message).toContain(`\`${field}\``);
  });
});
