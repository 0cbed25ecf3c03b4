import { prRoIPoolList } from '#libs/nn';
import { grad, tidy, type DType } from '#libs/tensor';
import { magnitude, maxAbs, type Comparison } from './comparison.js';
import type { Fixture } from './fixture.js';

export interface PrRoIHeader {
  cases: { name: string; spatial_scale: number; pooled_height: number; pooled_width: number }[];
}

/** 1e-10 in float64; in float32 1e-5 of the largest value. */
const TOLERANCE: Partial<Record<DType, number>> = { float64: 1e-10, float32: 1e-5 };

/** Precise RoI pooling: outputs and both gradients. */
export function prRoICase(fixture: Fixture<PrRoIHeader>): Comparison[] {
  return (['float64', 'float32'] as const).flatMap((dtype) =>
    fixture.header.cases.flatMap(({ name, spatial_scale, pooled_height, pooled_width }) =>
      tidy(() => {
        const features = fixture.tensor(`${name}/features`, dtype).setRequiresGrad(true);
        const rois = fixture.tensor(`${name}/rois`, dtype).setRequiresGrad(true);
        const output = prRoIPoolList(features, rois, {
          spatialScale: spatial_scale,
          pooledHeight: pooled_height,
          pooledWidth: pooled_width,
        });
        const gradOutput = fixture.tensor(`${name}/grad_output`, dtype);
        const [gradFeatures, gradRois] = grad(output, [features, rois], { gradOutput });
        return Object.entries({ output, grad_features: gradFeatures!, grad_rois: gradRois! }).map(
          ([what, ours]): Comparison => {
            const theirs = fixture.values(`${name}/${what}`) as Float64Array;
            const scale = dtype === 'float32' ? magnitude(theirs) || 1 : Math.max(1, magnitude(theirs));
            return {
              quantity: `${dtype} ${name}/${what}`,
              error: maxAbs(ours.toArray(), theirs) / scale,
              tolerance: TOLERANCE[dtype]!,
            };
          },
        );
      }),
    ),
  );
}
