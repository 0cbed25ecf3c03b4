import { arange, stack, where, zeros, type Tensor } from '#libs/tensor';

export interface PrRoIPoolOptions {
  /** Cells of the map a pixel of the image: 1/16, 1/8. */
  spatialScale: number;
  /** Bins a box, vertically. @default 1 */
  pooledHeight?: number;
  /** Bins a box, horizontally. @default 1 */
  pooledWidth?: number;
}

/**
 * G(t), the integral from -infinity to t of the unit hat max(0, 1 - |t|): what a grid point one cell wide takes of a
 * stretch that ends at distance t from it.
 */
function hatIntegral(distance: Tensor): Tensor {
  const t = distance.clamp({ min: -1, max: 1 });
  const rising = t.add(1).pow(2).mul(0.5);
  const falling = t.sub(1).pow(2).mul(-0.5).add(1);
  return where(t.lt(0), rising, falling);
}

/**
 * How much each of `cells` grid points contributes to each bin along one axis, and the length of a bin.
 * low, high `[N, R]` in cells -> weights `[N, R, bins, cells]`, length `[N, R]`
 */
function axisWeights(
  low: Tensor,
  high: Tensor,
  bins: number,
  cells: number,
): { weights: Tensor; length: Tensor } {
  const length = high.sub(low).clamp({ min: 0 }).div(bins);
  const like = { dtype: low.dtype, device: low.device };
  const edges = arange(0, bins + 1, like)
    .mul(length.unsqueeze(-1))
    .add(low.unsqueeze(-1));
  const integral = hatIntegral(edges.unsqueeze(-1).sub(arange(0, cells, like)));
  return { weights: integral.narrow(-2, 1, bins).sub(integral.narrow(-2, 0, bins)), length };
}

/**
 * Precise RoI pooling (Jiang et al. 2018, arXiv 1807.11590): the exact mean of the bilinear surface over every bin.
 * The integral is separable, so it is one batched matrix product and needs no kernel of its own; both gradients
 * (features and boxes) follow by autograd. Grid point (i, j) lies at the integer coordinate (i, j), the surface falls
 * to 0 one cell outside the map, and a bin of no area gives 0 and no gradient.
 *
 * @param features `[N, C, H, W]`
 * @param boxes `[N, R, 4]`, x0, y0, x1, y1 in pixels of the image
 * @returns `[N, R, C, pooledHeight, pooledWidth]`
 */
export function prRoIPool(features: Tensor, boxes: Tensor, options: PrRoIPoolOptions): Tensor {
  const { spatialScale, pooledHeight = 1, pooledWidth = 1 } = options;
  const [batch, channels, height, width] = features.shape as [number, number, number, number];
  const count = boxes.shape[1]!;
  // The weights of a small box are differences of nearly equal numbers: in float64 nothing of them is lost.
  const exact = boxes.toDType('float64');
  const corner = (place: number) => exact.select(2, place).mul(spatialScale);
  const x = axisWeights(corner(0), corner(2), pooledWidth, width);
  const y = axisWeights(corner(1), corner(3), pooledHeight, height);
  const area = y.length.mul(x.length);
  // Without area there is nothing to divide by; a weight of 0 keeps such a bin out of both passes.
  const share = where(area.gt(0), area, area.detach().mul(0).add(1)).reciprocal().mul(area.gt(0));
  const weights = y.weights
    .unsqueeze(4)
    .unsqueeze(3)
    .mul(x.weights.unsqueeze(2).unsqueeze(4))
    .mul(share.reshape([batch, count, 1, 1, 1, 1]));
  const kernel = weights.reshape([batch, count * pooledHeight * pooledWidth, height * width]);
  const values = features.permute([0, 2, 3, 1]).reshape([batch, height * width, channels]);
  const pooled = kernel.toDType(features.dtype).bmm(values);
  return pooled.reshape([batch, count, pooledHeight, pooledWidth, channels]).permute([0, 1, 4, 2, 3]);
}

/**
 * The same for a flat list of boxes, as detectors have them.
 * @param rois `[K, 5]`: index of the image in the batch, then the box
 * @returns `[K, C, pooledHeight, pooledWidth]`
 */
export function prRoIPoolList(features: Tensor, rois: Tensor, options: PrRoIPoolOptions): Tensor {
  const images = rois.select(1, 0).toArray();
  const pooled = images.map((image, place) => {
    const box = rois.narrow(0, place, 1).narrow(1, 1, 4).unsqueeze(0);
    return prRoIPool(features.narrow(0, image, 1), box, options)
      .select(0, 0)
      .select(0, 0);
  });
  const { pooledHeight = 1, pooledWidth = 1 } = options;
  return pooled.length
    ? stack(pooled)
    : zeros([0, features.shape[1]!, pooledHeight, pooledWidth], { dtype: features.dtype });
}
