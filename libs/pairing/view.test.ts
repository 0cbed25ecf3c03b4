import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { projectPath } from '#libs/core';
import { decodeImage, imageAddon, type RgbImage } from '#libs/datasets';
import type { ColourStep, ViewTransform } from './transform.js';
import { applyStep, renderView } from './view.js';

/** Views recorded from Pillow 9.4 and torchvision 0.14; their provenance stands in the header. */
const folder = projectPath('test/fixtures/pretraining/views');
interface Step {
  operation: 'brightness' | 'contrast' | 'saturation' | 'hue' | 'grayscale' | 'blur';
  factor?: number;
  sigma?: number;
}
const recorded = JSON.parse(readFileSync(`${folder}/views.json`, 'utf8')) as {
  sources: { file: string; decoded_file?: string; sha256_of_decoded_rgb: string }[];
  resized_crops: {
    name: string;
    source: number;
    flip: boolean;
    top: number;
    left: number;
    height: number;
    width: number;
    size: number;
    output?: string;
    file?: string;
  }[];
  operations: (Step & { input: string; output: string })[];
  blurs: { sigma: number; input: string; pil: string; gaussian: string }[];
  chains: { input: string; steps: Step[]; output: string }[];
  tensors: Record<string, { dtype: 'u8' | 'f32'; shape: number[]; offset: number }>;
};
const binary = readFileSync(`${folder}/views.bin`);

function values(name: string): Uint8Array | Float32Array {
  const { dtype, shape, offset } = recorded.tensors[name];
  const count = shape.reduce((a, b) => a * b);
  const at = binary.byteOffset + offset;
  const bytes = binary.buffer.slice(at, at + count * (dtype === 'u8' ? 1 : 4)) as ArrayBuffer;
  return dtype === 'u8' ? new Uint8Array(bytes) : new Float32Array(bytes);
}

function image(name: string): RgbImage {
  const [height, width] = recorded.tensors[name].shape;
  return { width, height, data: values(name) as Uint8Array };
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let worst = 0;
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i] - b[i]));
  return worst;
}

function stepOf({ operation, factor = 0, sigma = 0 }: Step): ColourStep {
  switch (operation) {
    case 'grayscale':
      return { op: 'grayscale' };
    case 'hue':
      return { op: 'hue', shift: factor };
    case 'blur':
      return { op: 'blur', kernel: 'pillow', sigma };
    default:
      return { op: operation, factor };
  }
}

const view = (
  crop: ViewTransform['crop'],
  size: number,
  more: Partial<ViewTransform> = {},
): ViewTransform => ({
  name: 'query',
  size,
  crop,
  mirrored: false,
  steps: [],
  ...more,
});

const sources: RgbImage[] = [];
beforeAll(async () => {
  for (const { file } of recorded.sources) sources.push(await decodeImage(`${folder}/${file}`));
});

describe('the recorded views of Pillow and torchvision, bit for bit', () => {
  it('decoded sources, PNG and JPEG', () => {
    const hashes = sources.map(({ data }) => createHash('sha256').update(data).digest('hex'));
    expect(hashes).toEqual(recorded.sources.map((source) => source.sha256_of_decoded_rgb));
  });

  it.each(recorded.resized_crops)(
    'resized crop $name',
    async ({ source, flip, size, output, file, ...crop }) => {
      const out = new Uint8Array(size * size * 3);
      renderView(sources[source], flip, view(crop, size), out);
      const expected = output
        ? values(output)
        : await sharp(`${folder}/${file}`).removeAlpha().raw().toBuffer();
      expect(largestDifference(out, expected)).toBe(0);
    },
  );

  it.each(recorded.operations)('$operation $factor of $input', ({ input, output, ...step }) => {
    const pixels = image(input);
    applyStep(pixels, stepOf(step));
    expect(largestDifference(pixels.data, values(output))).toBe(0);
  });

  it.each(recorded.blurs)('blur by boxes, sigma $sigma', ({ sigma, input, pil }) => {
    const pixels = image(input);
    applyStep(pixels, { op: 'blur', kernel: 'pillow', sigma });
    expect(largestDifference(pixels.data, values(pil))).toBe(0);
  });

  it.each(recorded.chains)('chain of operations to $output', ({ input, steps, output }) => {
    const pixels = image(input);
    steps.forEach((step) => applyStep(pixels, stepOf(step)));
    expect(largestDifference(pixels.data, values(output))).toBe(0);
  });
});

it.each(recorded.blurs)(
  'the true Gaussian is right to rounding, sigma $sigma',
  ({ sigma, input, gaussian }) => {
    const pixels = image(input);
    applyStep(pixels, { op: 'blur', kernel: 'gaussian', sigma });
    expect(largestDifference(pixels.data, values(gaussian))).toBeLessThan(0.51);
  },
);

describe('one call for a whole view', () => {
  const crop = { top: 9, left: 20, height: 80, width: 70 };
  const steps: ColourStep[] = [
    { op: 'blur', kernel: 'pillow', sigma: 1.4 },
    { op: 'saturation', factor: 1.3 },
    { op: 'contrast', factor: 0.7 },
  ];

  it('equals its operations one by one', () => {
    const [whole, single] = [new Uint8Array(64 * 64 * 3), new Uint8Array(64 * 64 * 3)];
    renderView(sources[0], true, view(crop, 64, { steps }), whole);
    renderView(sources[0], true, view(crop, 64), single);
    steps.forEach((step) => applyStep({ width: 64, height: 64, data: single }, step));
    expect(largestDifference(whole, single)).toBe(0);
  });

  it('mirrors a view after cropping when it says so', () => {
    const [plain, mirrored] = [new Uint8Array(48 * 48 * 3), new Uint8Array(48 * 48 * 3)];
    renderView(sources[1], false, view(crop, 48), plain);
    renderView(sources[1], false, view(crop, 48, { mirrored: true }), mirrored);
    const turned = new Uint8Array(plain.length);
    for (let y = 0; y < 48; y++)
      for (let x = 0; x < 48; x++)
        turned.set(plain.subarray((y * 48 + 47 - x) * 3).subarray(0, 3), (y * 48 + x) * 3);
    expect(largestDifference(mirrored, turned)).toBe(0);
  });

  it('writes into shared memory, at its offset and nowhere else', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(100 + 16 * 16 * 3 + 100)).fill(7);
    renderView(sources[0], false, view(crop, 16), shared, 100);
    const alone = new Uint8Array(16 * 16 * 3);
    renderView(sources[0], false, view(crop, 16), alone);
    expect(largestDifference(shared.subarray(100, 100 + alone.length), alone)).toBe(0);
    expect(shared.subarray(0, 100).every((value) => value === 7)).toBe(true);
    expect(shared.subarray(100 + alone.length).every((value) => value === 7)).toBe(true);
  });

  it('blurs a view smaller than the kernel, with any sigma', () => {
    for (const size of [1, 2, 3, 5]) {
      const flat = { width: size, height: size, data: new Uint8Array(size * size * 3).fill(90) };
      applyStep(flat, { op: 'blur', kernel: 'pillow', sigma: 9 });
      applyStep(flat, { op: 'blur', kernel: 'gaussian', sigma: 9 });
      expect([...new Set(flat.data)]).toEqual([90]);
    }
  });
});

describe('hostile arguments of the native kernels', () => {
  const pixels = new Uint8Array(10 * 8 * 3);
  const out = new Uint8Array(4 * 4 * 3);
  const plan = (...numbers: number[]) => Float64Array.from(numbers);
  const good = [0, 0, 0, 8, 10, 4, 0, 0];
  const make =
    (...args: unknown[]) =>
    () =>
      (imageAddon().makeView as (...args: unknown[]) => void)(...args);

  it.each<[string, () => void]>([
    ['a crop below the image', make(pixels, 10, 8, plan(0, 1, 0, 8, 10, 4, 0, 0), out, 0)],
    ['a crop left of the image', make(pixels, 10, 8, plan(0, 0, -1, 8, 10, 4, 0, 0), out, 0)],
    ['an empty crop', make(pixels, 10, 8, plan(0, 0, 0, 0, 10, 4, 0, 0), out, 0)],
    ['half a pixel', make(pixels, 10, 8, plan(0, 0.5, 0, 4, 10, 4, 0, 0), out, 0)],
    ['NaN', make(pixels, 10, 8, plan(0, 0, 0, Number.NaN, 10, 4, 0, 0), out, 0)],
    ['a huge view', make(pixels, 10, 8, plan(0, 0, 0, 8, 10, 1e9, 0, 0), out, 0)],
    ['a plan cut short', make(pixels, 10, 8, plan(0, 0, 0), out, 0)],
    ['operations that are not there', make(pixels, 10, 8, plan(0, 0, 0, 8, 10, 4, 0, 3), out, 0)],
    ['an unknown operation', make(pixels, 10, 8, plan(0, 0, 0, 8, 10, 4, 0, 1, 99, 0), out, 0)],
    ['an infinite factor', make(pixels, 10, 8, plan(0, 0, 0, 8, 10, 4, 0, 1, 1, Infinity), out, 0)],
    ['an image that is too short', make(pixels.subarray(1), 10, 8, plan(...good), out, 0)],
    ['sides that multiply beyond any image', make(pixels, 2 ** 28, 2 ** 28, plan(...good), out, 0)],
    ['room that is too small', make(pixels, 10, 8, plan(...good), out.subarray(1), 0)],
    ['an offset beyond the end', make(pixels, 10, 8, plan(...good), out, 1)],
    ['an offset before the start', make(pixels, 10, 8, plan(...good), out, -1)],
    ['no plan', make(pixels, 10, 8, undefined, out, 0)],
    ['a number as image', make(3, 10, 8, plan(...good), out, 0)],
    ['an array of another kind', make(new Float32Array(240), 10, 8, plan(...good), out, 0)],
  ])('%s is refused', (_, call) => {
    expect(call).toThrow(/must|holds|has/);
  });

  it('good arguments are taken', () => {
    expect(make(pixels, 10, 8, plan(...good), out, 0)).not.toThrow();
  });
});
