import { describe, expect, it } from 'vitest';
import { KeyedRandom, RandomPurpose } from '#libs/core';
import { grad, tensor, type Tensor } from '#libs/tensor';
import { prRoIPool } from './prroi-pool.js';

const [CHANNELS, HEIGHT, WIDTH] = [2, 5, 6];
const random = new KeyedRandom(7, { purpose: RandomPurpose.weights });
const values = Float64Array.from({ length: CHANNELS * HEIGHT * WIDTH }, () => random.uniform(-1, 1));
const features = () => tensor(values, [1, CHANNELS, HEIGHT, WIDTH]);

/** The bilinear surface at a point, 0 beyond one cell outside the map. */
function surface(channel: number, x: number, y: number): number {
  let sum = 0;
  for (let row = 0; row < HEIGHT; row++)
    for (let column = 0; column < WIDTH; column++) {
      const weight = Math.max(0, 1 - Math.abs(x - column)) * Math.max(0, 1 - Math.abs(y - row));
      sum += weight * values[(channel * HEIGHT + row) * WIDTH + column]!;
    }
  return sum;
}

/** Gauss-Legendre with two points on every piece between integers: exact for a surface that is bilinear on each. */
function integrate(low: number, high: number, value: (at: number) => number): number {
  const edges = [
    low,
    ...Array.from({ length: 40 }, (_, i) => i - 10).filter((at) => at > low && at < high),
    high,
  ];
  let sum = 0;
  for (let piece = 0; piece + 1 < edges.length; piece++) {
    const [a, b] = [edges[piece]!, edges[piece + 1]!];
    const [middle, half] = [(a + b) / 2, (b - a) / 2];
    sum += half * (value(middle - half / Math.sqrt(3)) + value(middle + half / Math.sqrt(3)));
  }
  return sum;
}

function mean(channel: number, [x0, y0, x1, y1]: readonly number[]): number {
  const integral = integrate(y0!, y1!, (y) => integrate(x0!, x1!, (x) => surface(channel, x, y)));
  return integral / ((x1! - x0!) * (y1! - y0!));
}

const boxes: [string, number[]][] = [
  ['inside', [1.2, 0.7, 4.1, 3.9]],
  ['smaller than a cell', [2.3, 1.6, 2.4, 1.9]],
  ['on cell centres', [1, 1, 4, 3]],
  ['across the left and upper border', [-3.5, -2.25, 2.5, 1.75]],
  ['across the right and lower border', [3.3, 2.2, 9.1, 8.4]],
  ['larger than the map', [-4, -5, 12, 11]],
];

const pool = (map: Tensor, box: readonly number[], scale = 1, bins = 1) =>
  prRoIPool(map, tensor(Float64Array.from(box), [1, 1, 4]), {
    spatialScale: scale,
    pooledHeight: bins,
    pooledWidth: bins,
  });

describe('PrRoI pooling', () => {
  it.each(boxes)('of a box %s equals the integral of the bilinear surface', (_, box) => {
    const pooled = pool(features(), box).toArray();
    for (let channel = 0; channel < CHANNELS; channel++)
      expect(Math.abs(pooled[channel]! - mean(channel, box))).toBeLessThan(1e-9);
  });

  it('divides a box into bins and scales it from pixels to cells', () => {
    const pooled = pool(features(), [8, 0, 40, 32], 1 / 16, 2).toArray();
    const expected = [0, 1].flatMap((channel) => [
      mean(channel, [0.5, 0, 1.5, 1]),
      mean(channel, [1.5, 0, 2.5, 1]),
      mean(channel, [0.5, 1, 1.5, 2]),
      mean(channel, [1.5, 1, 2.5, 2]),
    ]);
    expected.forEach((value, place) => expect(Math.abs(pooled[place]! - value)).toBeLessThan(1e-9));
  });

  it.each(boxes)('of a box %s has the gradients of finite differences', (_, box) => {
    const map = features().setRequiresGrad(true);
    const boxTensor = tensor(Float64Array.from(box), [1, 1, 4]).setRequiresGrad(true);
    const output = prRoIPool(map, boxTensor, { spatialScale: 1 });
    const upstream = tensor(Float64Array.of(0.7, -1.3), [1, 1, 2, 1, 1]);
    const [toMap, toBox] = grad(output, [map, boxTensor], { gradOutput: upstream });
    const loss = (at: readonly number[]) => 0.7 * mean(0, at) - 1.3 * mean(1, at);
    const step = 1e-5;
    toBox!.toArray().forEach((gradient, corner) => {
      const moved = (by: number) => loss(box.map((value, place) => (place === corner ? value + by : value)));
      // The integral is smooth on both sides of a cell centre, with another second derivative on each.
      expect(Math.abs(gradient - (moved(step) - moved(-step)) / (2 * step))).toBeLessThan(1e-4);
    });
    // The output is linear in the map, so a step of 1 gives the gradient exactly.
    const gradients = toMap!.toArray();
    for (const place of [0, 7, 16, 29, 31, 59]) {
      const shifted = Float64Array.from(values);
      shifted[place]! += 1;
      const [a, b] = pool(tensor(shifted, [1, CHANNELS, HEIGHT, WIDTH]), box)
        .sub(pool(features(), box))
        .toArray();
      expect(Math.abs(gradients[place]! - (0.7 * a! - 1.3 * b!))).toBeLessThan(1e-9);
    }
  });

  it.each([
    ['no width', [2, 1, 2, 3]],
    ['no height', [2, 1, 3, 1]],
    ['swapped corners', [4, 3, 1, 1]],
  ])('of a box with %s is 0 and has no gradient', (_, box) => {
    const map = features().setRequiresGrad(true);
    const boxTensor = tensor(Float64Array.from(box), [1, 1, 4]).setRequiresGrad(true);
    const output = prRoIPool(map, boxTensor, { spatialScale: 1 });
    expect(output.toArray()).toEqual([0, 0]);
    for (const gradient of grad(output.sum(null), [map, boxTensor]))
      expect(gradient.abs().amax().item()).toBe(0);
  });

  it('fades towards the edge as the published operator does', () => {
    const ones = tensor(new Float64Array(14 * 14).fill(1), [1, 1, 14, 14]);
    expect(pool(ones, [160, 160, 208, 208], 1 / 16).item()).toBeCloseTo(1, 12);
    expect(pool(ones, [176, 176, 224, 224], 1 / 16).item()).toBeCloseTo(0.694, 3);
  });
});
