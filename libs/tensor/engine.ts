import type { DType, Device } from './dtype.js';
import type { TensorBase } from './tensor-base.js';
import type { Tensor } from './generated/tensor.js';

/** What stands behind a tensor; only its own engine knows what it is. */
export type TensorData = object | number;

/**
 * Something that can carry out operators. Model code is written once against `Tensor`; whether an operator is
 * computed by libtorch, recorded for ONNX or computed by TensorFlow.js is decided by the tensors it is given.
 */
export interface Engine {
  readonly name: string;
  /** Carries out an ATen operator, `aten::conv2d`, with positional arguments; undefined takes the schema's default. */
  call(operator: string, args: readonly unknown[]): unknown;
  shape(data: TensorData): number[];
  dtype(data: TensorData): DType;
  device(data: TensorData): Device;
  dispose(data: TensorData): void;
  isDisposed(data: TensorData): boolean;
  /** From now on only the garbage collector knows when this tensor is of no more use: tells it of the memory. */
  leaveToCollector(tensor: TensorBase): void;
  item(data: TensorData): number;
  requiresGrad(data: TensorData): boolean;
  setRequiresGrad(data: TensorData, on: boolean): void;
  isContiguous(data: TensorData, channelsLast: boolean): boolean;
  /** Values in row-major order on the CPU; `share` may return the tensor's own memory. */
  bytes(data: TensorData, share: boolean): ArrayBuffer;
  fromTypedArray(array: ArrayBufferView, shape: readonly number[], dtype: DType, share: boolean): Tensor;
  grad(
    output: Tensor,
    inputs: readonly Tensor[],
    options: { gradOutput?: Tensor; retainGraph?: boolean; allowUnused?: boolean },
  ): (Tensor | null)[];
  knownGradient(value: Tensor, input: Tensor, gradient: Tensor): Tensor;
  /** Switches the recording of gradients; gives back what it was. */
  setGradMode(on: boolean): boolean;
  setAutocast(device: Device, on: boolean, dtype: DType): void;
  sgdStep(
    parameters: readonly Tensor[],
    gradients: readonly Tensor[],
    velocities: readonly Tensor[],
    options: { lr: number; momentum: number; weightDecay: number },
  ): void;
  emaUpdate(averages: readonly Tensor[], values: readonly Tensor[], momentum: number): void;
}

let standard: (() => Engine) | undefined;
const chosen: Engine[] = [];

/** Names the engine that makes tensors when no argument is one. Set once by the library's face. */
export function setStandardEngine(make: () => Engine): void {
  standard = make;
}

/** The engine that creates tensors out of nothing: the innermost of `withEngine`, else the standard one. */
export function currentEngine(): Engine {
  const engine = chosen.at(-1) ?? standard?.();
  if (!engine) throw new Error('no tensor engine has been chosen');
  return engine;
}

/** Runs `body` with another engine making the new tensors. */
export function withEngine<T>(engine: Engine, body: () => T): T {
  chosen.push(engine);
  try {
    return body();
  } finally {
    chosen.pop();
  }
}

function engineOf(args: readonly unknown[]): Engine | undefined {
  for (const argument of args) {
    if (argument !== null && typeof argument === 'object') {
      if ('engine' in argument) return (argument as TensorBase).engine;
      if (Array.isArray(argument)) {
        const inner = engineOf(argument);
        if (inner) return inner;
      }
    }
  }
  return undefined;
}

/** Carries out an operator on the engine of its tensors. The generated functions are the only callers. */
export function dispatch(operator: string, args: readonly unknown[]): unknown {
  return (engineOf(args) ?? currentEngine()).call(operator, args);
}
