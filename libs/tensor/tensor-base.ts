import { DTYPES, type DType, type Device, type TypedArrayOf } from './dtype.js';
import type { Engine, TensorData } from './engine.js';

/** What every tensor can do besides the operators: its `Tensor` subclass adds those, generated from their schemas. */
export class TensorBase implements Disposable {
  readonly engine: Engine;
  /** For the engine only. */
  readonly data: TensorData;
  /** Set by `keep`: no scope frees it. */
  isKept = false;

  constructor(engine: Engine, data: TensorData) {
    this.engine = engine;
    this.data = data;
  }

  /** Sizes, outermost first: `[N, C, H, W]` for a batch of feature maps. */
  get shape(): number[] {
    return this.engine.shape(this.data);
  }

  get dtype(): DType {
    return this.engine.dtype(this.data);
  }

  get device(): Device {
    return this.engine.device(this.data);
  }

  /** Number of values. */
  get size(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  get requiresGrad(): boolean {
    return this.engine.requiresGrad(this.data);
  }

  /** Whether operators on this tensor are recorded for `grad`. Only leaves (parameters, inputs) can be switched. */
  setRequiresGrad(on: boolean): this {
    this.engine.setRequiresGrad(this.data, on);
    return this;
  }

  /** Whether the values stand in memory in the order of the shape, or of the channels-last format when asked. */
  isContiguous(format: 'contiguous' | 'channels_last' = 'contiguous'): boolean {
    return this.engine.isContiguous(this.data, format === 'channels_last');
  }

  /** The value of a tensor with one element. @throws TensorError when it has another number of elements. */
  item(): number {
    return this.engine.item(this.data);
  }

  /** A copy of the values in row-major order, whatever the memory format; bf16 and fp16 as raw 16-bit words. */
  toTypedArray<D extends DType = 'float32'>(): TypedArrayOf<D> {
    return this.values(false) as TypedArrayOf<D>;
  }

  /**
   * The values without a copy where that is possible (a contiguous CPU tensor): the array is the tensor's memory and
   * changes with it. It keeps the memory alive beyond `dispose`.
   */
  shareTypedArray<D extends DType = 'float32'>(): TypedArrayOf<D> {
    return this.values(true) as TypedArrayOf<D>;
  }

  /** The values as JavaScript numbers in row-major order: for tests and small results. */
  toArray(): number[] {
    return Array.from(this.values(false) as unknown as Iterable<number | bigint>, Number);
  }

  private values(share: boolean): ArrayBufferView {
    return new DTYPES[this.dtype].array(this.engine.bytes(this.data, share));
  }

  get isDisposed(): boolean {
    return this.engine.isDisposed(this.data);
  }

  /** Gives the memory back now. Doing it twice is allowed; using the tensor afterwards is an error. */
  dispose(): void {
    this.engine.dispose(this.data);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return this.isDisposed
      ? 'Tensor(disposed)'
      : `Tensor(${this.dtype} [${this.shape.join(', ')}] on ${this.device})`;
  }
}
