import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeImage, type RgbImage } from '#libs/datasets';
import { applyStep, renderView, type ColourStep } from '#libs/pairing';
import { maxAbs, type Comparison } from './comparison.js';
import type { Fixture } from './fixture.js';

interface Operation {
  operation: string;
  factor?: number;
  sigma?: number;
}

export interface ViewsHeader {
  sources: { file: string; sha256_of_decoded_rgb: string; decoded_file?: string }[];
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
  operations: (Operation & { input: string; output: string })[];
  blurs: { sigma: number; input: string; pil: string; gaussian: string }[];
  chains: { input: string; steps: Operation[]; output: string; normalized_chw?: string }[];
  normalize: { mean: number[]; std: number[] };
}

function stepOf(
  { operation, factor, sigma }: Operation,
  kernel: 'pillow' | 'gaussian' = 'pillow',
): ColourStep {
  if (operation === 'blur') return { op: 'blur', sigma: sigma!, kernel };
  if (operation === 'hue') return { op: 'hue', shift: factor! };
  if (operation === 'grayscale') return { op: 'grayscale' };
  return { op: operation as 'brightness', factor: factor! };
}

/** Two comparisons of 8-bit values: the worst pixel, and the mean difference. */
function pixels(quantity: string, ours: Uint8Array, theirs: ArrayLike<number>, worst = 1): Comparison[] {
  let sum = 0;
  for (let place = 0; place < ours.length; place++) sum += Math.abs(ours[place]! - theirs[place]!);
  return [
    { quantity: `${quantity}, worst of 255`, error: maxAbs(ours, theirs), tolerance: worst },
    { quantity: `${quantity}, mean of 255`, error: sum / ours.length, tolerance: worst === 1 ? 0.1 : 0.5 },
  ];
}

/** Decoding, resampling, colour and blur beside Pillow and torchvision. */
export async function viewsCase(fixture: Fixture<ViewsHeader>): Promise<Comparison[]> {
  const { header, folder } = fixture;
  const comparisons: Comparison[] = [];
  const read = (file: string) => decodeImage(readFileSync(join(folder, file)), { source: file });

  const sources: RgbImage[] = [];
  for (const { file, sha256_of_decoded_rgb: sha256, decoded_file: decodedFile } of header.sources) {
    const image = await read(file);
    if (decodedFile) {
      comparisons.push(...pixels(`decoded ${file}`, image.data, (await read(decodedFile)).data));
      // What follows is about resampling alone: it starts from the recorded pixels.
      sources.push(await read(decodedFile));
    } else {
      const equal = createHash('sha256').update(image.data).digest('hex') === sha256;
      comparisons.push({ quantity: `decoded ${file}, wrong hash`, error: equal ? 0 : 1, tolerance: 0 });
      sources.push(image);
    }
  }
  for (const { name, source, flip, size, output, file, ...crop } of header.resized_crops) {
    const ours = new Uint8Array(size * size * 3);
    const { top, left, height, width } = crop;
    renderView(
      sources[source]!,
      flip,
      { name, crop: { top, left, height, width }, size, mirrored: false, steps: [] },
      ours,
    );
    const theirs = output ? (fixture.values(output) as Uint8Array) : (await read(file!)).data;
    comparisons.push(...pixels(`crop ${name}`, ours, theirs));
  }
  const apply = (input: string, steps: ColourStep[]): Uint8Array => {
    const [height, width] = fixture.entry(input).shape as [number, number];
    const image = { width, height, data: Uint8Array.from(fixture.values(input) as Uint8Array) };
    for (const step of steps) applyStep(image, step);
    return image.data;
  };
  for (const operation of header.operations)
    comparisons.push(
      ...pixels(
        operation.output,
        apply(operation.input, [stepOf(operation)]),
        fixture.values(operation.output) as Uint8Array,
      ),
    );
  for (const { sigma, input, pil, gaussian } of header.blurs) {
    const blur = (kernel: 'pillow' | 'gaussian') =>
      apply(input, [stepOf({ operation: 'blur', sigma }, kernel)]);
    comparisons.push(...pixels(`${pil} (Pillow's boxes)`, blur('pillow'), fixture.values(pil) as Uint8Array));
    comparisons.push({
      quantity: `${gaussian} (true Gaussian), worst of 255`,
      error: maxAbs(blur('gaussian'), fixture.values(gaussian) as Float32Array),
      tolerance: 1,
    });
  }
  for (const { input, steps, output, normalized_chw: normalized } of header.chains) {
    const ours = apply(
      input,
      steps.map((step) => stepOf(step)),
    );
    comparisons.push(...pixels(output, ours, fixture.values(output) as Uint8Array));
    if (normalized) comparisons.push(normalisedComparison(normalized, ours, fixture));
  }
  return comparisons;
}

function normalisedComparison(name: string, ours: Uint8Array, fixture: Fixture<ViewsHeader>): Comparison {
  const { mean, std } = fixture.header.normalize;
  const area = ours.length / 3;
  const planes = Float64Array.from({ length: ours.length }, (_, place) => {
    const channel = Math.floor(place / area);
    return (ours[(place % area) * 3 + channel]! / 255 - mean[channel]!) / std[channel]!;
  });
  // One step of 255 in the value, seen through the smallest deviation.
  return {
    quantity: name,
    error: maxAbs(planes, fixture.values(name) as Float32Array),
    tolerance: 1 / 255 / Math.min(...std),
  };
}
