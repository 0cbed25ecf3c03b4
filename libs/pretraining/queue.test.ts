import { describe, expect, it } from 'vitest';
import { Init } from '#libs/nn';
import { full } from '#libs/tensor';
import { Queue } from './queue.js';
import { inverse, keyShuffle } from './shards.js';

describe('the queue', () => {
  const make = () => new Queue(new Init({ seed: 3 }), 'queue', 6, 4);
  const firsts = (queue: Queue) => queue.entries.select(1, 0).toArray();

  it('starts with unit vectors that follow from the seed', () => {
    const [a, b] = [make(), make()];
    for (const length of a.entries.norm({ dim: [1] }).toArray()) expect(length).toBeCloseTo(1, 6);
    expect(a.entries.toArray()).toEqual(b.entries.toArray());
  });

  it('overwrites the oldest keys first, over its end too', () => {
    const queue = make();
    for (const value of [1, 2]) queue.write(full([4, 4], value));
    expect(firsts(queue).map((value) => (value === 1 || value === 2 ? value : 0))).toEqual([
      2, 2, 1, 1, 2, 2,
    ]);
    expect(queue.pointer).toBe(2);
    expect(queue.filled).toBe(6);
  });
});

describe('the shuffle of keys', () => {
  it('is a permutation, a function of seed and step, undone by its inverse', () => {
    const order = keyShuffle(5, 9, 64);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 64 }, (_, i) => i));
    expect(keyShuffle(5, 9, 64)).toEqual(order);
    expect(keyShuffle(5, 10, 64)).not.toEqual(order);
    expect([...inverse(order)].map((place) => order[place])).toEqual(Array.from({ length: 64 }, (_, i) => i));
  });
});
