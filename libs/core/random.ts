import { invalid } from './errors.js';

/**
 * Counter-based randomness: a number is a pure function of (seed, where it is used), so any worker, in any process,
 * in any order, draws the same one, and nothing has to be carried along or saved in a checkpoint.
 *
 * The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011).
 */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** Upper 32 bits of the 64-bit product of two unsigned 32-bit words. */
function mulhi(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  // middle < 2^32 and aLow * bHigh < 2^32: their sum stays exact in a double, so the carry is not lost.
  const carry = Math.floor((aLow * bHigh + (middle % 65536)) / 65536);
  return (aHigh * bHigh + Math.floor(middle / 65536) + carry) >>> 0;
}

/**
 * One block of Philox4x32-10.
 * @param counter four unsigned 32-bit words
 * @param key two unsigned 32-bit words
 * @param out receives four unsigned 32-bit words
 */
export function philox(counter: ArrayLike<number>, key: ArrayLike<number>, out: Uint32Array): void {
  let [c0, c1, c2, c3] = [counter[0] >>> 0, counter[1] >>> 0, counter[2] >>> 0, counter[3] >>> 0];
  let [k0, k1] = [key[0] >>> 0, key[1] >>> 0];
  for (let round = 0; round < 10; round++) {
    const high0 = mulhi(M0, c0);
    const low0 = Math.imul(M0, c0);
    const high1 = mulhi(M1, c2);
    const low1 = Math.imul(M1, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** What a number is drawn for. Values are part of every result: append, never renumber. */
export const RandomPurpose = {
  shuffle: 0,
  flip: 1,
  view: 2,
  weights: 3,
  shards: 4,
  scene: 5,
} as const;
export type RandomPurpose = (typeof RandomPurpose)[keyof typeof RandomPurpose];

/** Where a stream of numbers is used. Missing parts are 0. */
export interface RandomPlace {
  epoch?: number;
  /** Index of the sample in its data set. */
  sample?: number;
  purpose: RandomPurpose;
  /** Which of up to 65,536 uses of one purpose: the view, and the operation inside it. */
  use?: number;
}

/** A whole number that a double holds exactly, split into the two words of a Philox key. */
function seedKey(seed: number): [number, number] {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw invalid('seed', seed, 'a whole number from 0 to 9007199254740991');
  }
  return [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
}

function word(field: string, value: number, limit: number): number {
  if (!Number.isInteger(value) || value < 0 || value >= limit) {
    throw invalid(field, value, `a whole number from 0 to ${limit - 1}`);
  }
  return value;
}

/** A stream of random numbers that belongs to one place of one seed. */
export class KeyedRandom {
  private readonly key: [number, number];
  private readonly counter: [number, number, number, number];
  private readonly block = new Uint32Array(4);
  private used = 4;

  /** @throws ResimError INVALID_ARGUMENT when the seed or a part of the place is no whole number in range. */
  constructor(seed: number, place: RandomPlace) {
    this.key = seedKey(seed);
    const use = word('use', place.use ?? 0, 2 ** 16);
    const purpose = word('purpose', place.purpose, 2 ** 16);
    this.counter = [
      0,
      ((purpose << 16) | use) >>> 0,
      word('sample', place.sample ?? 0, 2 ** 32),
      word('epoch', place.epoch ?? 0, 2 ** 32),
    ];
  }

  /** The next 32 random bits, as an unsigned number. */
  bits(): number {
    if (this.used === 4) {
      philox(this.counter, this.key, this.block);
      this.counter[0] = (this.counter[0] + 1) >>> 0;
      this.used = 0;
    }
    return this.block[this.used++];
  }

  /** A double in [low, high), with 53 random bits. */
  uniform(low = 0, high = 1): number {
    const unit = ((this.bits() >>> 5) * 2 ** 26 + (this.bits() >>> 6)) / 2 ** 53;
    return low + (high - low) * unit;
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.uniform() < p;
  }

  /** A whole number in [low, high], both ends included, without bias; at most 2^32 values. */
  integer(low: number, high: number): number {
    const count = high - low + 1;
    if (!Number.isInteger(low) || !Number.isInteger(high) || count < 1 || count > 2 ** 32) {
      throw invalid('range', [low, high], 'two whole numbers low <= high, at most 2^32 apart');
    }
    // Values above the last whole multiple of `count` would make the first ones likelier.
    const limit = 2 ** 32 - (2 ** 32 % count);
    let value = this.bits();
    while (value >= limit) value = this.bits();
    return low + (value % count);
  }

  /** Standard normal (Box-Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)];
  }

  /** Fisher-Yates in place. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T {
    for (let last = items.length - 1; last > 0; last--) {
      const other = this.integer(0, last);
      const kept = items[last];
      items[last] = items[other];
      items[other] = kept;
    }
    return items;
  }

  /** A uniformly random order of 0 … n-1. */
  permutation(n: number): Int32Array {
    return this.shuffle(Int32Array.from({ length: n }, (_, index) => index));
  }
}
