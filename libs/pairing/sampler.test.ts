import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolvePairing, type PairingOptions } from './options.js';
import { sampleTransform } from './sampler.js';
import type { ColourStep } from './transform.js';

const image = { width: 500, height: 375 };
const place = { seed: 3, epoch: 2, sample: 11 };
const many = (options: PairingOptions, count = 4000) => {
  const pairing = resolvePairing(options);
  return Array.from({ length: count }, (_, sample) =>
    sampleTransform(pairing, { seed: 1, epoch: 0, sample }, image),
  );
};
const share = <T>(items: T[], holds: (item: T) => boolean) => items.filter(holds).length / items.length;
const names = (steps: ColourStep[]) => steps.map(({ op }) => op);

describe('the transforms of a sample', () => {
  it('are the same for the same seed, epoch and sample, and others for another of these', () => {
    const pairing = resolvePairing();
    const first = sampleTransform(pairing, place, image);
    expect(sampleTransform(pairing, place, image)).toEqual(first);
    for (const other of [{ seed: 4 }, { epoch: 3 }, { sample: 12 }]) {
      expect(sampleTransform(pairing, { ...place, ...other }, image)).not.toEqual(first);
    }
    expect(first.views[0].crop).not.toEqual(first.views[1].crop);
  });

  it('keep their crop when an operation is added or left out', () => {
    const crops = (options: PairingOptions) =>
      sampleTransform(resolvePairing(options), place, image).views.map(({ crop }) => crop);
    expect(crops({ ops: [] })).toEqual(crops({}));
  });

  it('lie inside an image of any shape', () => {
    const pairing = resolvePairing();
    const side = fc.integer({ min: 1, max: 3000 });
    fc.assert(
      fc.property(side, side, fc.nat(1000), (width, height, sample) => {
        for (const { crop } of sampleTransform(pairing, { ...place, sample }, { width, height }).views) {
          expect(crop.width >= 1 && crop.height >= 1 && crop.top >= 0 && crop.left >= 0).toBe(true);
          expect(crop.left + crop.width <= width && crop.top + crop.height <= height).toBe(true);
        }
      }),
      { seed: 5, numRuns: 500 },
    );
  });

  it('have areas and shapes spread over the ranges of the recipe', () => {
    const crops = many({}).flatMap(({ views }) => views.map(({ crop }) => crop));
    const areas = crops.map(({ width, height }) => (width * height) / (image.width * image.height));
    const ratios = crops.map(({ width, height }) => width / height);
    expect(Math.min(...areas)).toBeGreaterThan(0.195);
    expect(share(areas, (area) => area < 0.4)).toBeGreaterThan(0.2);
    expect(Math.min(...ratios)).toBeGreaterThan(0.74);
    expect(Math.max(...ratios)).toBeLessThan(1.35);
  });
});

describe('the published recipe', () => {
  const samples = many({});
  const views = samples.flatMap((sample) => sample.views);

  it('mirrors half of the images, both views at once and before cropping', () => {
    expect(share(samples, ({ flip }) => flip)).toBeCloseTo(0.5, 1);
    expect(views.some(({ mirrored }) => mirrored)).toBe(false);
  });

  it('blurs, then jitters, then greys, each with its probability', () => {
    expect(share(views, ({ steps }) => names(steps).includes('blur'))).toBeCloseTo(0.5, 1);
    expect(share(views, ({ steps }) => names(steps).includes('brightness'))).toBeCloseTo(0.8, 1);
    expect(share(views, ({ steps }) => names(steps).includes('grayscale'))).toBeCloseTo(0.2, 1);
    for (const { steps } of views) {
      expect(names(steps).lastIndexOf('blur')).toBeLessThanOrEqual(0);
      const grey = names(steps).indexOf('grayscale');
      expect(grey === -1 || grey === steps.length - 1).toBe(true);
    }
  });

  it('jitters in every order, within its ranges', () => {
    const orders = new Set(
      views.map(({ steps }) =>
        names(steps)
          .filter((op) => op !== 'blur' && op !== 'grayscale')
          .join(),
      ),
    );
    expect(orders.size).toBe(25);
    for (const step of views.flatMap(({ steps }) => steps)) {
      if (step.op === 'hue') expect(Math.abs(step.shift)).toBeLessThanOrEqual(0.1);
      else if (step.op === 'blur') expect(step.sigma >= 0.1 && step.sigma <= 2).toBe(true);
      else if (step.op === 'contrast') expect(step.factor >= 0.6 && step.factor <= 1.4).toBe(true);
    }
  });
});

it('the order of MoCo-v2 is a matter of the recipe: jitter, grey, blur, and a flip for each view', () => {
  const samples = many({
    flip: { mode: 'independent' },
    ops: [
      { op: 'jitter', p: 1 },
      { op: 'grayscale', p: 1 },
      { op: 'blur', p: 1 },
    ],
    levels: [],
  });
  expect(names(samples[0].views[0].steps).slice(-2)).toEqual(['grayscale', 'blur']);
  expect(samples.some(({ flip }) => flip)).toBe(false);
  expect(share(samples, ({ views }) => views[0].mirrored)).toBeCloseTo(0.5, 1);
  expect(share(samples, ({ views }) => views[0].mirrored !== views[1].mirrored)).toBeCloseTo(0.5, 1);
});
