import { avgPool2d, type Tensor } from '#libs/tensor';
import { l2Normalize, prRoIPool } from '#libs/nn';
import { infoNce } from './info-nce.js';
import type { ShardRegions } from './objective.js';

/** A feature map at full precision whatever autocast made of it; float64 stays. */
export function precise(features: Tensor): Tensor {
  return features.dtype === 'float64' ? features : features.toDType('float32');
}

/**
 * The keys that regions are contrasted with: every position of the teacher's map, averaged over 3x3 cells (stride 1,
 * no padding) and normalised. The image's own positions and those that overlap the positive are among them, as in
 * the published results.
 * Source: the original code's moco/builder.py (methods text, 1.5, step 4).
 * @param map `[N, C, H, W]` @returns `[N, (H - 2)(W - 2), C]`
 */
export function denseNegatives(map: Tensor): Tensor {
  const pooled = l2Normalize(avgPool2d(precise(map), [3, 3], { stride: [1, 1] }), 1);
  const [batch, channels, height, width] = pooled.shape as [number, number, number, number];
  return pooled.permute([0, 2, 3, 1]).reshape([batch, height * width, channels]);
}

/** The embedding of every window `[n R, C]`: exact mean over the window, then L2 normalisation. */
export function embedRegions(map: Tensor, boxes: Tensor, spatialScale: number): Tensor {
  const features = precise(map);
  const pooled = prRoIPool(features, boxes.toDType(features.dtype), { spatialScale });
  return l2Normalize(pooled.reshape([-1, features.shape[1]!]), 1);
}

export interface RegionTermInput {
  /** Maps of the shard's rows, of the student (with gradients) and of the teacher: `[n, C, H, W]`. */
  queryMap: Tensor;
  keyMap: Tensor;
  /** `[K, C]`, see `denseNegatives`. */
  negatives: Tensor;
  regions: ShardRegions;
  /** Cells a pixel: 1/16, 1/8. */
  spatialScale: number;
  temperature: number;
}

export interface RegionTerm {
  loss: Tensor;
  accuracy: Tensor | number;
  /** Share of windows whose counterpart lies inside the key view. */
  valid: number;
}

/**
 * The region similarity loss of one level: InfoNCE between aligned windows, the mean over the valid ones of all rows
 * together (not an image's mean first). Without a valid window the original's mean is NaN; here the term is 0 and
 * leaves no gradient.
 */
export function regionTerm({
  queryMap,
  keyMap,
  negatives,
  regions,
  spatialScale,
  temperature,
}: RegionTermInput): RegionTerm {
  const valid = regions.validCount / regions.count;
  if (regions.validCount === 0) return { loss: precise(queryMap).mul(0).sum(null), accuracy: 0, valid };
  const query = embedRegions(queryMap, regions.query, spatialScale).indexSelect(0, regions.valid);
  const positive = embedRegions(keyMap, regions.key, spatialScale).indexSelect(0, regions.valid);
  return { ...infoNce({ query, positive, negatives, temperature }), valid };
}
