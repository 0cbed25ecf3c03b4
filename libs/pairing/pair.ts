import type { RgbImage } from '#libs/datasets';
import type { ResolvedPairing } from './options.js';
import { RegionGrids, type LevelRegions } from './regions.js';
import { sampleTransform, type SamplePlace } from './sampler.js';
import type { PairTransform } from './transform.js';
import { renderView } from './view.js';

/** The views of one image with their aligned windows. */
export interface Pair {
  image: { width: number; height: number };
  transform: PairTransform;
  /** RGB pixels of each view, shape `[size, size, 3]`. */
  pixels: Uint8Array[];
  levels: LevelRegions[];
}

/** Makes the views of one decoded image: the same that a batch holds for the same seed, epoch and sample. */
export function makePair(image: RgbImage, pairing: ResolvedPairing, place: SamplePlace): Pair {
  const transform = sampleTransform(pairing, place, image);
  const pixels = transform.views.map((view) => {
    const out = new Uint8Array(view.size * view.size * 3);
    renderView(image, transform.flip, view, out);
    return out;
  });
  const { width, height } = image;
  return { image: { width, height }, transform, pixels, levels: new RegionGrids(pairing).of(transform) };
}
