import type { Tensor } from './generated/tensor.js';

export interface SgdStepOptions {
  lr: number;
  momentum: number;
  weightDecay: number;
}

/**
 * One step of SGD on every parameter, in one pass over memory: v <- momentum v + (g + weightDecay w), w <- w - lr v
 * (PyTorch's form: the learning rate is not inside the velocity). Lists run in parallel; velocities start at zero.
 */
export function sgdStep(
  parameters: readonly Tensor[],
  gradients: readonly Tensor[],
  velocities: readonly Tensor[],
  options: SgdStepOptions,
): void {
  parameters[0]?.engine.sgdStep(parameters, gradients, velocities, options);
}

/** Exponential moving average of every tensor, in place: a <- momentum a + (1 - momentum) x. */
export function emaUpdate(averages: readonly Tensor[], values: readonly Tensor[], momentum: number): void {
  averages[0]?.engine.emaUpdate(averages, values, momentum);
}
