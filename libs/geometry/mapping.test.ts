import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { projectPath } from '#libs/core';
import { intersectBoxes, mapBox, mapBoxes, mapPoint, mirrorBox, windowGrid } from './index.js';
import type { Box, ViewGeometry } from './index.js';

const folder = projectPath('test/fixtures/pretraining');
const recorded = JSON.parse(readFileSync(`${folder}/windows.json`, 'utf8')) as {
  configs: { view: number; levels: Record<string, { window: number; stride: number }> }[];
  tensors: Record<string, { dtype: 'f64' | 'i32'; shape: number[]; offset: number }>;
};
const binary = readFileSync(`${folder}/windows.bin`);

function tensor(name: string): Float64Array | Int32Array {
  const { dtype, shape, offset } = recorded.tensors[name];
  const count = shape.reduce((a, b) => a * b);
  const at = binary.byteOffset + offset;
  const bytes = binary.buffer.slice(at, at + count * (dtype === 'f64' ? 8 : 4)) as ArrayBuffer;
  return dtype === 'f64' ? new Float64Array(bytes) : new Int32Array(bytes);
}

const view = (size: number, left: number, top: number, right: number, bottom: number): ViewGeometry => ({
  size,
  crop: { top, left, height: bottom - top, width: right - left },
  mirrored: false,
});

/** Written another way than the library: one affine map a view, multiplied out as matrices. */
function independently([x0, y0, x1, y1]: Box, from: ViewGeometry, to: ViewGeometry): number[] {
  const toImage = ({ size, crop, mirrored }: ViewGeometry) => ({
    sx: (mirrored ? -1 : 1) * (crop.width / size),
    tx: mirrored ? crop.left + crop.width : crop.left,
    sy: crop.height / size,
    ty: crop.top,
  });
  const a = toImage(from);
  const b = toImage(to);
  const sx = a.sx / b.sx;
  const tx = (a.tx - b.tx) / b.sx;
  const xs = [x0 * sx + tx, x1 * sx + tx].sort((p, q) => p - q);
  return [xs[0], y0 * (a.sy / b.sy) + (a.ty - b.ty) / b.sy, xs[1], (y1 * a.sy + a.ty - b.ty) / b.sy];
}

const largest = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, index) => Math.abs(value - b[index])));

describe('the recorded windows of the original code', () => {
  const names = recorded.configs.flatMap((config, c) =>
    Object.entries(config.levels).map(([level, grid]) => [`config${c}/${level}`, config.view, grid] as const),
  );

  it.each(names)('stand on the same grid: %s', (name, size, { window, stride }) => {
    expect(windowGrid(size, window, stride).flat()).toEqual([...tensor(`${name}/boxes_q`)]);
  });

  it.each(['p4', 'p3'])('map to the same key boxes with the same labels: %s', (level) => {
    const pairs = tensor('pairs');
    const labels = tensor(`${level}/labels`);
    const keyBoxes = tensor(`${level}/boxes_k`);
    let worst = 0;
    let validSeen = 0;
    for (let row = 0; row < 200; row++) {
      const columns = [...pairs.subarray(row * 15, row * 15 + 15)];
      const [config, , , ql, qt, qr, qb, kl, kt, kr, kb] = columns;
      const [firstLabel, firstBox] = level === 'p4' ? columns.slice(11, 13) : columns.slice(13, 15);
      const { view: size, levels } = recorded.configs[config];
      const query = view(size, ql, qt, qr, qb);
      const key = view(size, kl, kt, kr, kb);
      const boxes = windowGrid(size, levels[level].window, levels[level].stride);
      const mapped = mapBoxes(boxes, query, key);
      expect(mapped.valid.map((valid) => (valid ? 0 : -1))).toEqual([
        ...labels.subarray(firstLabel, firstLabel + boxes.length),
      ]);
      const kept = mapped.boxes.filter((_, index) => mapped.valid[index]).flat();
      worst = Math.max(
        worst,
        largest(kept, [...keyBoxes.subarray(firstBox * 4, firstBox * 4 + kept.length)]),
      );
      validSeen += kept.length / 4;
      boxes.forEach((box) => {
        worst = Math.max(worst, largest(mapBox(box, query, key), independently(box, query, key)));
      });
    }
    expect(worst).toBeLessThan(1e-9);
    expect(validSeen).toBe(keyBoxes.length / 4);
  });
});

describe('mapping between two views', () => {
  const geometry = fc.record({
    size: fc.integer({ min: 16, max: 512 }),
    crop: fc.record({
      top: fc.integer({ min: 0, max: 400 }),
      left: fc.integer({ min: 0, max: 400 }),
      height: fc.integer({ min: 8, max: 600 }),
      width: fc.integer({ min: 8, max: 600 }),
    }),
    mirrored: fc.boolean(),
  });
  const box = fc
    .tuple(fc.double({ min: 0, max: 100, noNaN: true }), fc.double({ min: 0, max: 100, noNaN: true }))
    .map(([x, y]): Box => [x, y, x + 20, y + 30]);
  const run = { seed: 20, numRuns: 300 };

  it('agrees with an independent computation, mirrored views included', () => {
    fc.assert(
      fc.property(box, geometry, geometry, (b, from, to) => {
        const expected = independently(b, from, to);
        const scale = Math.max(1, ...expected.map(Math.abs));
        expect(largest(mapBox(b, from, to), expected) / scale).toBeLessThan(1e-12);
      }),
      run,
    );
  });

  it('comes back to the same box', () => {
    fc.assert(
      fc.property(box, geometry, geometry, (b, from, to) => {
        expect(largest(mapBox(mapBox(b, from, to), to, from), b)).toBeLessThan(1e-9);
      }),
      run,
    );
  });

  it('takes the corners of a box where it takes them as points', () => {
    fc.assert(
      fc.property(box, geometry, geometry, (b, from, to) => {
        const corners = [mapPoint(b[0], b[1], from, to), mapPoint(b[2], b[3], from, to)];
        const mapped = mapBox(b, from, to);
        expect(mapped[0]).toBe(Math.min(corners[0][0], corners[1][0]));
        expect(mapped[2]).toBe(Math.max(corners[0][0], corners[1][0]));
        expect([mapped[1], mapped[3]]).toEqual([corners[0][1], corners[1][1]]);
      }),
      run,
    );
  });

  it('leaves a box where it is when both views are the same', () => {
    fc.assert(
      fc.property(box, geometry, (b, same) => {
        expect(largest(mapBox(b, same, same), b)).toBeLessThan(1e-9);
      }),
      run,
    );
  });

  it('counts a window on the lower right edge of the key view as outside', () => {
    const whole = view(224, 0, 0, 224, 224);
    const { boxes, valid } = mapBoxes(
      [
        [176, 0, 224, 48],
        [176, 0, 223.5, 48],
        [-0.1, 0, 10, 10],
      ],
      whole,
      whole,
    );
    expect(valid).toEqual([false, true, false]);
    expect(boxes[0]).toEqual([0, 0, 1, 1]);
  });
});

it('the common part of two boxes is null when they only touch', () => {
  expect(intersectBoxes([0, 0, 4, 4], [4, 0, 8, 4])).toBeNull();
  expect(intersectBoxes([0, 0, 4, 4], [2, 1, 8, 3])).toEqual([2, 1, 4, 3]);
  expect(mirrorBox([1, 2, 3, 4], 10)).toEqual([7, 2, 9, 4]);
});

it('a grid without a positive stride is refused', () => {
  expect(() => windowGrid(224, 48, 0)).toThrow(/`stride` \(=0\) must be a positive number/);
});
