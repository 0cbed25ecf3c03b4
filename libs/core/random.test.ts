import { describe, expect, it } from 'vitest';
import { KeyedRandom, philox, RandomPurpose } from './random.js';

const place = { purpose: RandomPurpose.view, epoch: 3, sample: 7, use: 1 };

describe('Philox4x32-10', () => {
  it.each([
    ['zeros', [0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    ['ones', [-1, -1, -1, -1], [-1, -1], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
    [
      'digits of pi',
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])('gives the published answer for %s', (_, counter, key, expected) => {
    const out = new Uint32Array(4);
    philox(counter, key, out);
    expect([...out]).toEqual(expected);
  });
});

describe('KeyedRandom', () => {
  const first = (seed: number, where: object) =>
    new KeyedRandom(seed, { ...place, ...where } as typeof place).bits();

  it('depends on every part of its place and on the whole seed, and on nothing else', () => {
    const draws = [
      first(5, {}),
      first(6, {}),
      first(5 + 2 ** 40, {}),
      first(5, { epoch: 4 }),
      first(5, { sample: 8 }),
      first(5, { use: 2 }),
      first(5, { purpose: RandomPurpose.flip }),
    ];
    expect(new Set(draws).size).toBe(draws.length);
    expect(first(5, {})).toBe(draws[0]);
  });

  it('draws uniform doubles with the right mean and variance', () => {
    const random = new KeyedRandom(1, place);
    const values = Array.from({ length: 20_000 }, () => random.uniform(2, 4));
    const mean = values.reduce((a, b) => a + b) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    expect(mean).toBeCloseTo(3, 1);
    expect(variance).toBeCloseTo(1 / 3, 1);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(2);
    expect(Math.max(...values)).toBeLessThan(4);
  });

  it('draws whole numbers from both ends of the range, each as often', () => {
    const random = new KeyedRandom(2, place);
    const seen = new Map<number, number>();
    for (let i = 0; i < 12_000; i++) {
      const value = random.integer(-2, 3);
      seen.set(value, (seen.get(value) ?? 0) + 1);
    }
    expect([...seen.keys()].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2, 3]);
    for (const count of seen.values()) expect(Math.abs(count - 2000)).toBeLessThan(200);
  });

  it('draws normal numbers', () => {
    const random = new KeyedRandom(3, place);
    const values = Array.from({ length: 20_000 }, () => random.normal());
    expect(values.reduce((a, b) => a + b) / values.length).toBeCloseTo(0, 1);
    expect(values.reduce((a, b) => a + b * b, 0) / values.length).toBeCloseTo(1, 1);
  });

  it('permutes without losing or repeating', () => {
    const order = new KeyedRandom(4, place).permutation(1000);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect([...order.slice(0, 8)]).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 53])('refuses the seed %s', (seed) => {
    expect(() => new KeyedRandom(seed, place)).toThrow(/`seed`.*whole number/);
  });
});
