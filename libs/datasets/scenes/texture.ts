import type { KeyedRandom } from '#libs/core';

export type Colour = readonly [r: number, g: number, b: number];

/** How far (0 to 1) a surface is from its first colour to its second, at a point in its own units. */
export type Pattern = (u: number, v: number) => number;

/** Smooth noise from random values on a lattice of 256 x 256 that repeats. */
export function latticeNoise(random: KeyedRandom): Pattern {
  const values = Float32Array.from({ length: 4096 }, () => random.uniform());
  const at = (x: number, y: number) => values[((x & 63) + (y & 63) * 64) & 4095];
  return (u, v) => {
    const x = Math.floor(u);
    const y = Math.floor(v);
    const fx = u - x;
    const fy = v - y;
    const sx = fx * fx * (3 - 2 * fx);
    const sy = fy * fy * (3 - 2 * fy);
    const top = at(x, y) + sx * (at(x + 1, y) - at(x, y));
    const bottom = at(x, y + 1) + sx * (at(x + 1, y + 1) - at(x, y + 1));
    return top + sy * (bottom - top);
  };
}

const wave = (t: number) => {
  const inside = t - Math.floor(t);
  return inside < 0.5 ? 0 : 1;
};

/** The kinds of surface. Each is made with its own random frequency and direction. */
const KINDS: ((random: KeyedRandom) => Pattern)[] = [
  function stripes(random) {
    const angle = random.uniform(0, Math.PI);
    const [fu, fv] = [Math.cos(angle), Math.sin(angle)].map((part) => part * random.uniform(1.2, 4));
    return (u, v) => wave(u * fu + v * fv);
  },
  function checks(random) {
    const f = random.uniform(1, 3);
    return (u, v) => (wave(u * f) === wave(v * f) ? 0 : 1);
  },
  function dots(random) {
    const f = random.uniform(1.5, 3.5);
    const size = random.uniform(0.08, 0.16);
    return (u, v) => {
      const x = u * f - Math.floor(u * f) - 0.5;
      const y = v * f - Math.floor(v * f) - 0.5;
      return x * x + y * y < size ? 1 : 0;
    };
  },
  function rings(random) {
    const f = random.uniform(1.2, 3);
    return (u, v) => wave(Math.sqrt(u * u + v * v) * f);
  },
  function bricks(random) {
    const f = random.uniform(1.5, 3);
    return (u, v) => {
      const row = Math.floor(v * f * 1.8);
      const x = u * f + (row & 1) * 0.5;
      return x - Math.floor(x) < 0.1 || v * f * 1.8 - row < 0.16 ? 1 : 0;
    };
  },
  function clouds(random) {
    const noise = latticeNoise(random);
    const f = random.uniform(2, 5);
    return (u, v) => 0.65 * noise(u * f, v * f) + 0.35 * noise(u * f * 2.7, v * f * 2.7);
  },
  function marble(random) {
    const noise = latticeNoise(random);
    const f = random.uniform(1.5, 3);
    return (u, v) => 0.5 + 0.5 * Math.sin(6.3 * (u * f + 1.5 * noise(u * 3, v * 3)));
  },
  function plain(random) {
    const noise = latticeNoise(random);
    return (u, v) => 0.3 * noise(u * 9, v * 9);
  },
];

export interface Texture {
  pattern: Pattern;
  from: Colour;
  to: Colour;
}

/** A colour of any hue; dull ones are as likely as strong ones. */
export function randomColour(random: KeyedRandom): Colour {
  const value = random.uniform(40, 245);
  const saturation = random.uniform(0, 0.85);
  const hue = random.uniform(0, 6);
  const channel = (shift: number) => {
    const distance = Math.abs(((hue + shift) % 6) - 3);
    return value * (1 - saturation * Math.min(1, Math.max(0, 2 - distance)));
  };
  return [channel(0), channel(2), channel(4)];
}

export function randomTexture(random: KeyedRandom): Texture {
  return { pattern: random.pick(KINDS)(random), from: randomColour(random), to: randomColour(random) };
}
