import { KeyedRandom, RandomPurpose } from '#libs/core';
import type { Crop } from '#libs/geometry';
import type { ResolvedOperation, ResolvedPairing, ResolvedView } from './options.js';
import type { ColourStep, PairTransform } from './transform.js';

/** Which views are meant: the numbers drawn are a function of this alone. */
export interface SamplePlace {
  seed: number;
  epoch: number;
  /** Index of the image in its data set. */
  sample: number;
}

/** Each view has 64 streams: one for its crop, the others for its operations, so that none shifts another's numbers. */
const STREAMS_PER_VIEW = 64;
const CROP_TRIES = 10;

/** Random resized crop as torchvision draws it; after ten tries the largest centred crop of an allowed shape. */
function sampleCrop(random: KeyedRandom, view: ResolvedView, width: number, height: number): Crop {
  const [narrowest, widest] = view.crop.ratio;
  for (let attempt = 0; attempt < CROP_TRIES; attempt++) {
    const area = width * height * random.uniform(...view.crop.scale);
    const ratio = Math.exp(random.uniform(Math.log(narrowest), Math.log(widest)));
    const w = Math.round(Math.sqrt(area * ratio));
    const h = Math.round(Math.sqrt(area / ratio));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      const top = random.integer(0, height - h);
      return { top, left: random.integer(0, width - w), height: h, width: w };
    }
  }
  const ratio = width / height;
  const w = ratio > widest ? Math.min(width, Math.max(1, Math.round(height * widest))) : width;
  const h = ratio < narrowest ? Math.min(height, Math.max(1, Math.round(width / narrowest))) : height;
  return { top: (height - h) >> 1, left: (width - w) >> 1, height: h, width: w };
}

/** The four changes of a colour jitter in the random order in which they are applied. */
function sampleJitter(
  random: KeyedRandom,
  jitter: Extract<ResolvedOperation, { op: 'jitter' }>,
): ColourStep[] {
  const factor = (op: 'brightness' | 'contrast' | 'saturation'): ColourStep[] => {
    const strength = jitter[op];
    return strength === 0 ? [] : [{ op, factor: random.uniform(Math.max(0, 1 - strength), 1 + strength) }];
  };
  const steps: ColourStep[] = [...factor('brightness'), ...factor('contrast'), ...factor('saturation')];
  if (jitter.hue > 0) steps.push({ op: 'hue', shift: random.uniform(-jitter.hue, jitter.hue) });
  return random.shuffle(steps);
}

function sampleOperation(random: KeyedRandom, operation: ResolvedOperation): ColourStep[] {
  if (!random.chance(operation.p)) return [];
  switch (operation.op) {
    case 'blur':
      return [{ op: 'blur', kernel: operation.kernel, sigma: random.uniform(...operation.sigma) }];
    case 'jitter':
      return sampleJitter(random, operation);
    case 'grayscale':
      return [{ op: 'grayscale' }];
    case 'solarize':
      return [{ op: 'solarize', threshold: operation.threshold }];
  }
}

/**
 * Draws how the views of a sample are made.
 *
 * @param image size of the decoded image in pixels
 */
export function sampleTransform(
  pairing: ResolvedPairing,
  { seed, epoch, sample }: SamplePlace,
  image: { width: number; height: number },
): PairTransform {
  const { mode, p } = pairing.flip;
  const flip = (use: number) =>
    new KeyedRandom(seed, { epoch, sample, purpose: RandomPurpose.flip, use }).chance(p);
  const views = pairing.views.map((view, index) => {
    const stream = (use: number) =>
      new KeyedRandom(seed, {
        epoch,
        sample,
        purpose: RandomPurpose.view,
        use: index * STREAMS_PER_VIEW + use,
      });
    return {
      name: view.name,
      size: view.size,
      crop: sampleCrop(stream(0), view, image.width, image.height),
      mirrored: mode === 'independent' && flip(index + 1),
      steps: view.ops.flatMap((operation, position) => sampleOperation(stream(position + 1), operation)),
    };
  });
  return { flip: mode === 'shared' && flip(0), views };
}
