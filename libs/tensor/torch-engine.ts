import type { DType } from './dtype.js';
import type { Engine, TensorData } from './engine.js';
import { TensorError } from './error.js';
import { Tensor } from './generated/tensor.js';
import { Generator } from './generator.js';
import { native, type Native, type TensorHandle } from './native.js';
import { track } from './scope.js';
import { TensorBase } from './tensor-base.js';

function handle(tensor: TensorBase): TensorHandle {
  return tensor.data as TensorHandle;
}

function handles(tensors: readonly TensorBase[]): TensorHandle[] {
  return tensors.map(handle);
}

function lower(argument: unknown): unknown {
  if (argument instanceof TensorBase) return argument.data;
  if (argument instanceof Generator) return argument.handle;
  if (Array.isArray(argument) && typeof argument[0] === 'object') return argument.map(lower);
  return argument;
}

/** Computes with libtorch, through the addon. */
class TorchEngine implements Engine {
  readonly name = 'torch';
  private readonly operators = new Map<string, number>();
  private readonly addon: Native = native();
  /** Tensors that are left to the collector, with the bytes that it was told of. */
  private readonly left = new Map<TensorHandle, number>();
  /** Frees them when JavaScript has lost them. */
  private readonly collected = new FinalizationRegistry<TensorHandle>((handle) => this.release(handle));

  wrap(data: TensorHandle): Tensor {
    const tensor = new Tensor(this, data);
    track(tensor);
    return tensor;
  }

  call(operator: string, args: readonly unknown[]): unknown {
    try {
      let number = this.operators.get(operator);
      if (number === undefined) {
        number = this.addon.operator(operator);
        this.operators.set(operator, number);
      }
      return this.lift(this.addon.call(number, args.map(lower)));
    } catch (error) {
      throw TensorError.of(error, operator, args);
    }
  }

  private lift(result: unknown): unknown {
    if (typeof result === 'number') return this.wrap(result as TensorHandle);
    if (Array.isArray(result)) return result.map((item) => this.lift(item));
    // What is neither a tensor nor a list of them comes wrapped, because handles are numbers.
    return result === null || result === undefined ? result : (result as { value: unknown }).value;
  }

  shape(data: TensorData): number[] {
    return this.addon.shape(data as TensorHandle);
  }

  dtype(data: TensorData): DType {
    return this.addon.dtype(data as TensorHandle) as DType;
  }

  device(data: TensorData): string {
    return this.addon.device(data as TensorHandle);
  }

  dispose(data: TensorData): void {
    this.release(data as TensorHandle);
  }

  isDisposed(data: TensorData): boolean {
    return this.addon.isFreed(data as TensorHandle);
  }

  leaveToCollector(tensor: TensorBase): void {
    const data = handle(tensor);
    if (this.left.has(data)) return;
    const bytes = this.addon.ownBytes(data);
    this.left.set(data, bytes);
    this.addon.adjustExternalMemory(bytes);
    this.collected.register(tensor, data);
  }

  private release(data: TensorHandle): void {
    const bytes = this.left.get(data);
    if (bytes !== undefined) {
      this.left.delete(data);
      this.addon.adjustExternalMemory(-bytes);
    }
    this.addon.free(data);
  }

  item(data: TensorData): number {
    return TensorError.guard('item', () => this.addon.item(data as TensorHandle));
  }

  requiresGrad(data: TensorData): boolean {
    return this.addon.requiresGrad(data as TensorHandle);
  }

  setRequiresGrad(data: TensorData, on: boolean): void {
    TensorError.guard('setRequiresGrad', () => this.addon.setRequiresGrad(data as TensorHandle, on));
  }

  isContiguous(data: TensorData, channelsLast: boolean): boolean {
    return this.addon.isContiguous(data as TensorHandle, channelsLast);
  }

  bytes(data: TensorData, share: boolean): ArrayBuffer {
    return TensorError.guard('bytes', () => this.addon.bytes(data as TensorHandle, share));
  }

  fromTypedArray(array: ArrayBufferView, shape: readonly number[], dtype: DType, share: boolean): Tensor {
    return TensorError.guard('fromTypedArray', () =>
      this.wrap(this.addon.fromTypedArray(array, shape, dtype, share)),
    );
  }

  grad(
    output: Tensor,
    inputs: readonly Tensor[],
    options: { gradOutput?: Tensor; retainGraph?: boolean; allowUnused?: boolean },
  ): (Tensor | null)[] {
    return TensorError.guard('grad', () =>
      this.addon
        .grad(handle(output), handles(inputs), {
          ...options,
          gradOutput: options.gradOutput && handle(options.gradOutput),
        })
        .map((gradient) => (gradient === null ? null : this.wrap(gradient))),
    );
  }

  knownGradient(value: Tensor, input: Tensor, gradient: Tensor): Tensor {
    return TensorError.guard('knownGradient', () =>
      this.wrap(this.addon.knownGradient(handle(value), handle(input), handle(gradient))),
    );
  }

  setGradMode(on: boolean): boolean {
    return this.addon.setGradMode(on);
  }

  setAutocast(device: string, on: boolean, dtype: DType): void {
    this.addon.setAutocast(device, on, dtype);
  }

  sgdStep(
    parameters: readonly Tensor[],
    gradients: readonly Tensor[],
    velocities: readonly Tensor[],
    { lr, momentum, weightDecay }: { lr: number; momentum: number; weightDecay: number },
  ): void {
    TensorError.guard('sgdStep', () =>
      this.addon.sgdStep(
        handles(parameters),
        handles(gradients),
        handles(velocities),
        lr,
        momentum,
        weightDecay,
      ),
    );
  }

  emaUpdate(averages: readonly Tensor[], values: readonly Tensor[], momentum: number): void {
    TensorError.guard('emaUpdate', () => this.addon.emaUpdate(handles(averages), handles(values), momentum));
  }

  /** Tensors over a mapped file; `safetensors/read.ts` has checked the entries. */
  mapFile(path: string, entries: { dtype: DType; shape: readonly number[]; begin: number }[]): Tensor[] {
    return TensorError.guard('mapFile', () =>
      this.addon.mapFile(path, entries).map((data) => this.wrap(data)),
    );
  }
}

let engine: TorchEngine | undefined;

/** The libtorch engine of this process. @throws ResimError FAILED_PRECONDITION when the addon is not built. */
export function torchEngine(): TorchEngine {
  engine ??= new TorchEngine();
  return engine;
}
