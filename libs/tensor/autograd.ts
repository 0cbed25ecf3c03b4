import type { DType } from './dtype.js';
import { currentEngine } from './engine.js';
import type { Tensor } from './generated/tensor.js';

export interface GradOptions {
  /** Gradient that flows into `output`; needed unless it is a scalar. @default 1 */
  gradOutput?: Tensor;
  /** Keep the recorded graph for another call. @default false */
  retainGraph?: boolean;
}

/**
 * Gradients of `output` with respect to `inputs`, one for each, of the same shape.
 * @throws TensorError when an input does not take part in `output`.
 */
export function grad(output: Tensor, inputs: readonly Tensor[], options: GradOptions = {}): Tensor[] {
  return output.engine.grad(output, inputs, options) as Tensor[];
}

/** Like `grad`, with null for an input that takes no part. */
export function gradOrNull(
  output: Tensor,
  inputs: readonly Tensor[],
  options: GradOptions = {},
): (Tensor | null)[] {
  return output.engine.grad(output, inputs, { ...options, allowUnused: true });
}

/**
 * `value` (a scalar without a graph) as a function of `input` whose gradient is known already. For losses that are
 * computed in pieces together with their gradient, so that no piece has to be kept for the backward pass.
 */
export function withKnownGradient(value: Tensor, input: Tensor, gradient: Tensor): Tensor {
  return value.engine.knownGradient(value, input, gradient);
}

/** Runs `body` without recording anything for gradients. */
export function noGrad<T>(body: () => T): T {
  const engine = currentEngine();
  const before = engine.setGradMode(false);
  try {
    return body();
  } finally {
    engine.setGradMode(before);
  }
}

export interface AutocastOptions {
  device: string;
  /** Leave everything as it is when false. @default true */
  enabled?: boolean;
  /** @default 'bfloat16' */
  dtype?: DType;
}

/**
 * Runs `body` with convolutions and matrix products computed in a shorter format; everything that needs the range or
 * the digits stays in float32. Casts of parameters are made once and dropped at the end of `body`.
 */
export function autocast<T>(
  { device, enabled = true, dtype = 'bfloat16' }: AutocastOptions,
  body: () => T,
): T {
  if (!enabled) return body();
  const engine = currentEngine();
  engine.setAutocast(device, true, dtype);
  try {
    return body();
  } finally {
    engine.setAutocast(device, false, dtype);
  }
}
