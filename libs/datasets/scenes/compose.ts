import { KeyedRandom, RandomPurpose } from '#libs/core';
import { outerContours } from './contour.js';
import { OUTLINES, SCENE_CLASSES, type Outline } from './outlines.js';
import { fillPolygon } from './raster.js';
import { latticeNoise, randomColour, randomTexture, type Texture } from './texture.js';

export interface SceneObject {
  /** Name of its class. */
  name: string;
  /** Smallest box of its visible pixels, `x0, y0, x1, y1`, half-open. */
  box: [number, number, number, number];
  /** Visible pixels. */
  area: number;
  /** Outer borders of the visible pixels, flat lists `x, y, …`. */
  polygons: number[][];
  /** Part of it lies outside the image. */
  truncated: boolean;
  /** Part of it lies behind something. */
  occluded: boolean;
  /** Less than half of it can be seen. */
  difficult: boolean;
}

export interface Scene {
  width: number;
  height: number;
  /** RGB, `[height, width, 3]`. */
  pixels: Uint8Array;
  objects: SceneObject[];
}

const SIZES: [width: number, height: number][] = [
  [500, 375],
  [375, 500],
  [480, 320],
  [400, 300],
  [320, 240],
];
const NOBODY = -1;
/** An object is put in front only while every object behind it keeps this share of itself in sight. */
const LEAST_VISIBLE = 0.4;

interface Thing {
  /** Null for clutter, which nobody looks for. */
  name: string | null;
  outline: Outline;
  centre: [number, number];
  radius: number;
  angle: number;
  texture: Texture;
}

/** Turns, stretches and shears an outline of about one unit and puts it where it stands, with a trembling hand. */
function place(
  random: KeyedRandom,
  unit: Outline,
  centre: [number, number],
  radius: number,
  angle: number,
): Outline {
  const stretch = Math.sqrt(random.uniform(0.7, 1.4));
  const shear = random.uniform(-0.2, 0.2);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return unit.map(([x, y]) => {
    const px = (x + shear * y) * stretch + random.uniform(-0.025, 0.025);
    const py = y / stretch + random.uniform(-0.025, 0.025);
    return [centre[0] + radius * (cos * px - sin * py), centre[1] + radius * (sin * px + cos * py)];
  });
}

function polygonArea(outline: Outline): number {
  return Math.abs(
    outline.reduce((sum, [x, y], i) => {
      const [nx, ny] = outline[(i + 1) % outline.length];
      return sum + (x * ny - nx * y) / 2;
    }, 0),
  );
}

/** A splinter or a bar that means nothing. */
function clutterOutline(random: KeyedRandom): Outline {
  const corners = random.integer(3, 7);
  const flat = random.uniform(0.12, 0.8);
  return Array.from({ length: corners }, (_, index) => {
    const angle = ((index + random.uniform(0, 0.8)) / corners) * 2 * Math.PI;
    return [Math.cos(angle), flat * Math.sin(angle)];
  });
}

class Composer {
  private readonly random: KeyedRandom;
  private readonly width: number;
  private readonly height: number;
  private readonly pixels: Float32Array;
  private readonly owner: Int16Array;
  private readonly accepted: { thing: Thing; whole: number; placed: number; visible: number }[] = [];
  private readonly light: [number, number];

  constructor(seed: number, index: number) {
    this.random = new KeyedRandom(seed, { sample: index, purpose: RandomPurpose.scene });
    [this.width, this.height] = this.random.pick(SIZES);
    this.pixels = new Float32Array(this.width * this.height * 3);
    this.owner = new Int16Array(this.width * this.height).fill(NOBODY);
    const angle = this.random.uniform(0, 2 * Math.PI);
    this.light = [Math.cos(angle), Math.sin(angle)];
  }

  private thing(name: string | null, radius: number): Thing {
    const { random, width, height } = this;
    const centre: [number, number] = [random.uniform(0, width), random.uniform(0, height)];
    const angle = name === null ? random.uniform(0, 2 * Math.PI) : random.uniform(-0.7, 0.7);
    const unit = name === null ? clutterOutline(random) : OUTLINES[name];
    const outline = place(random, unit, centre, radius, angle);
    return { name, outline, centre, radius, angle, texture: randomTexture(random) };
  }

  private paint({ outline, centre, radius, angle, texture }: Thing): void {
    const { width, height, pixels, light } = this;
    const offset = 0.08 * radius;
    const shadow: Outline = outline.map(([x, y]) => [x - light[0] * offset, y - light[1] * offset]);
    fillPolygon(shadow, width, height, (y, from, to, coverage) => {
      for (let x = from; x < to; x++) {
        const dim = 1 - 0.4 * coverage[x];
        for (let c = 3 * (y * width + x), end = c + 3; c < end; c++) pixels[c] *= dim;
      }
    });
    const [cos, sin] = [Math.cos(angle) / radius, Math.sin(angle) / radius];
    fillPolygon(outline, width, height, (y, from, to, coverage) => {
      for (let x = from; x < to; x++) {
        const alpha = coverage[x];
        if (alpha === 0) continue;
        const dx = x - centre[0];
        const dy = y - centre[1];
        const mix = texture.pattern(cos * dx + sin * dy + 8, cos * dy - sin * dx + 8);
        const shade = 1 + 0.28 * ((dx * light[0] + dy * light[1]) / radius);
        const at = 3 * (y * width + x);
        for (let c = 0; c < 3; c++) {
          const colour = shade * (texture.from[c] + mix * (texture.to[c] - texture.from[c]));
          pixels[at + c] += alpha * (colour - pixels[at + c]);
        }
      }
    });
  }

  private background(): void {
    const { random, width, height, pixels } = this;
    const noise = latticeNoise(random);
    const [from, to] = [randomColour(random), randomColour(random)];
    const texture = randomTexture(random);
    const weave = random.uniform(0, 0.45);
    const scale = random.uniform(0.008, 0.03);
    const period = random.uniform(0.008, 0.03);
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at += 3) {
        const slow = 0.7 * noise(x * scale, y * scale) + 0.3 * noise(x * scale * 4.1, y * scale * 4.1);
        const fine = texture.pattern(x * period + 8, y * period + 8);
        for (let c = 0; c < 3; c++) {
          const base = from[c] + slow * (to[c] - from[c]);
          pixels[at + c] = base + weave * fine * (texture.to[c] - base);
        }
      }
    }
  }

  /** Puts a thing in front of all others, unless it hides one of them too much or is itself hardly in the image. */
  private tryPlace(thing: Thing): boolean {
    const { width, height, owner, accepted } = this;
    const covered: number[] = [];
    const hidden = new Map<number, number>();
    fillPolygon(thing.outline, width, height, (y, from, to, coverage) => {
      for (let x = from; x < to; x++) {
        if (coverage[x] < 0.5) continue;
        const pixel = y * width + x;
        covered.push(pixel);
        if (owner[pixel] !== NOBODY) hidden.set(owner[pixel], (hidden.get(owner[pixel]) ?? 0) + 1);
      }
    });
    const whole = polygonArea(thing.outline);
    if (thing.name !== null && covered.length < 0.6 * whole) return false;
    for (const [index, lost] of hidden) {
      const other = accepted[index];
      if (other.thing.name !== null && other.visible - lost < LEAST_VISIBLE * other.whole) return false;
    }
    for (const [index, lost] of hidden) accepted[index].visible -= lost;
    for (const pixel of covered) owner[pixel] = accepted.length;
    accepted.push({ thing, whole, placed: covered.length, visible: covered.length });
    return true;
  }

  /** Exposure, uneven light, tint and sensor noise. */
  private expose(): Uint8Array {
    const { random, width, height, pixels, light } = this;
    const exposure = random.uniform(0.75, 1.2);
    const slope = random.uniform(0, 0.35) / Math.max(width, height);
    const tint = [0, 1, 2].map(() => random.uniform(0.92, 1.08));
    const grain = random.uniform(2, 12);
    const out = new Uint8Array(pixels.length);
    let state = random.bits() | 1;
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const lit = exposure * (1 + slope * (light[0] * (x - width / 2) + light[1] * (y - height / 2)));
        for (let c = 0; c < 3; c++, at++) {
          // Marsaglia's xorshift: grain needs no more.
          state ^= state << 13;
          state ^= state >>> 17;
          state ^= state << 5;
          const noise = grain * ((state >>> 8) / 2 ** 24 - 0.5);
          const value = pixels[at] * lit * tint[c] + noise;
          out[at] = value < 0 ? 0 : value > 255 ? 255 : Math.round(value);
        }
      }
    }
    return out;
  }

  private describe(index: number): SceneObject | null {
    const { width, height, owner, accepted } = this;
    const { thing, whole, placed, visible } = accepted[index];
    if (thing.name === null || visible === 0) return null;
    const box: SceneObject['box'] = [width, height, 0, 0];
    let area = 0;
    for (let pixel = 0; pixel < owner.length; pixel++) {
      if (owner[pixel] !== index) continue;
      const x = pixel % width;
      const y = (pixel - x) / width;
      area++;
      box[0] = Math.min(box[0], x);
      box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], x + 1);
      box[3] = Math.max(box[3], y + 1);
    }
    const outside = thing.outline.some(([x, y]) => x < 0 || y < 0 || x > width || y > height);
    const has = (x: number, y: number) => owner[y * width + x] === index;
    return {
      name: thing.name,
      box,
      area,
      polygons: outerContours({ width, height, has, box }),
      truncated: outside,
      occluded: visible < placed,
      difficult: area < 0.5 * whole,
    };
  }

  compose(): Scene {
    const { random, width, height, accepted } = this;
    const side = Math.min(width, height);
    this.background();
    for (let n = random.integer(4, 12); n > 0; n--)
      this.paint(this.thing(null, side * random.uniform(0.02, 0.12)));
    const wanted = random.integer(2, 7);
    let objects = 0;
    for (let attempt = 0; attempt < 60 && objects < wanted; attempt++) {
      const thing = this.thing(random.pick(SCENE_CLASSES), side * random.uniform(0.08, 0.26));
      if (this.tryPlace(thing)) objects++;
    }
    for (let n = random.integer(0, 4); n > 0; n--)
      this.tryPlace(this.thing(null, side * random.uniform(0.05, 0.2)));
    accepted.forEach(({ thing }) => this.paint(thing));
    const described = accepted.flatMap((_, index) => this.describe(index) ?? []);
    return { width, height, pixels: this.expose(), objects: described };
  }
}

/**
 * Makes scene `index` of a seed: objects of `SCENE_CLASSES` on a textured ground, among clutter, partly behind one
 * another, under uneven light. The same numbers give the same scene.
 */
export function composeScene(seed: number, index: number): Scene {
  return new Composer(seed, index).compose();
}
