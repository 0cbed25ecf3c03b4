import { ResimError } from '#libs/core';
import type { DType } from '#libs/tensor';
import { magnitude, maxAbs, median, relativeL2, type Comparison } from './comparison.js';
import type { Fixture } from './fixture.js';

/** Header of a recorded training step. */
export interface Level {
  spatial_scale: number;
  window: number;
  stride: number;
  negatives: string;
  boxes?: string;
}

export interface StepHeader {
  config: {
    network: {
      stem_channels: number;
      planes: number[];
      expansion: number;
      blocks: number[];
      fpn_channels?: number;
    };
    image_size: number;
    processes: number;
    images_per_process: number;
    levels: Record<string, Level>;
    dim: number;
    queue: number;
    queue_ptr: number;
    temperature: number;
    ema: number;
    sgd: { lr: number; momentum: number; weight_decay: number };
  };
  bn_layout: [string, number][];
  steps: {
    loss_per_process: Record<string, number[]>;
    loss_mean: Record<string, number>;
    top1_percent_per_process?: Record<string, number[]>;
    queue_ptr_after: number;
  }[];
  float32_run_deviates_by: Record<string, number>;
  'noise_3e-7_on_weights_moves_gradients_by'?: [number, number];
}

/** Ours beside the recorded value, by the rule that fits the way it was stored and the precision of this run. */
export class Judge {
  readonly comparisons: Comparison[] = [];
  private readonly gradients = new Map<number, number[]>();

  constructor(
    private readonly fixture: Fixture<StepHeader>,
    private readonly dtype: DType,
  ) {}

  private add(quantity: string, error: number, tolerance: number): void {
    this.comparisons.push({ quantity: `${this.dtype} ${quantity}`, error, tolerance });
  }

  /** Ten times the case's own deviation; for a step that it does not list, the largest it lists for another. */
  private float32(key: string): number {
    const known = this.fixture.header.float32_run_deviates_by;
    const shape = (text: string) => text.replace(/step \d+/, 'step');
    const values = Object.keys(known).flatMap((row) => (shape(row) === shape(key) ? [known[row]!] : []));
    if (!values.length)
      throw new ResimError(
        'INVALID_ARGUMENT',
        `the case does not say how far a float32 run deviates in ${key}`,
      );
    return 10 * (known[key] ?? Math.max(...values));
  }

  /** @param key the row of `float32_run_deviates_by` that bounds this quantity in float32 */
  values(name: string, ours: ArrayLike<number>, key: string): void {
    const theirs = this.fixture.values(name) as ArrayLike<number>;
    if (this.dtype === 'float64') {
      const stored = this.fixture.entry(name).dtype;
      const scale = stored === 'f64' ? Math.max(1, magnitude(theirs)) : magnitude(theirs) || 1;
      this.add(name, maxAbs(ours, theirs) / scale, stored === 'f64' ? 1e-9 : 1e-6);
    } else {
      this.add(
        name,
        key.includes('relative L2') ? relativeL2(ours, theirs) : maxAbs(ours, theirs),
        this.float32(key),
      );
    }
  }

  scalar(quantity: string, ours: number, theirs: number): void {
    const relative = Math.abs(ours - theirs) / Math.max(Math.abs(theirs), Number.MIN_VALUE);
    this.add(quantity, relative, this.dtype === 'float64' ? 1e-9 : this.float32('losses, relative'));
  }

  exact(quantity: string, ours: number, theirs: number): void {
    this.add(quantity, Math.abs(ours - theirs), 0);
  }

  gradient(step: number, name: string, ours: ArrayLike<number>): void {
    if (this.dtype === 'float64') return this.values(name, ours, '');
    const error = relativeL2(ours, this.fixture.values(name) as ArrayLike<number>);
    this.gradients.set(step, [...(this.gradients.get(step) ?? []), error]);
  }

  /** In float32 gradients are judged together: the noise of single small tensors says little. */
  finishGradients(): void {
    const [noiseMedian, noiseMax] = this.fixture.header['noise_3e-7_on_weights_moves_gradients_by'] ?? [0, 0];
    for (const [step, errors] of this.gradients) {
      const bound = (kind: string, noise: number) =>
        Math.max(this.float32(`gradients of step ${step}, relative L2 per tensor, ${kind}`), 10 * noise);
      this.add(`step${step}/grad, relative L2, median`, median(errors), bound('median', noiseMedian));
      this.add(`step${step}/grad, relative L2, max`, Math.max(...errors), bound('max', noiseMax));
    }
  }
}
