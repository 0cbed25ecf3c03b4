/** Element types by the names that Python users know. */
export const DTYPES = {
  float32: { bytes: 4, array: Float32Array },
  float64: { bytes: 8, array: Float64Array },
  /** As raw bits: JavaScript has no such number type everywhere. */
  float16: { bytes: 2, array: Uint16Array },
  /** As raw bits, the upper half of a float32. */
  bfloat16: { bytes: 2, array: Uint16Array },
  int64: { bytes: 8, array: BigInt64Array },
  int32: { bytes: 4, array: Int32Array },
  int16: { bytes: 2, array: Int16Array },
  int8: { bytes: 1, array: Int8Array },
  uint8: { bytes: 1, array: Uint8Array },
  bool: { bytes: 1, array: Uint8Array },
} as const;

export type DType = keyof typeof DTYPES;
export type TypedArrayOf<D extends DType> = InstanceType<(typeof DTYPES)[D]['array']>;
export type AnyTypedArray =
  | Float32Array
  | Float64Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array;

/** Order of the values in memory of a `[N, C, H, W]` tensor; convolutions are fastest with the channels last. */
export type MemoryFormat = 'contiguous' | 'channels_last' | 'preserve';

/** `cpu`, `cuda` or `cuda:1`. */
export type Device = string;

/** The dtype that a typed array holds when nothing else is said. */
export function dtypeOfArray(array: ArrayBufferView): DType {
  if (array instanceof Float32Array) return 'float32';
  if (array instanceof Float64Array) return 'float64';
  if (array instanceof Int32Array) return 'int32';
  if (array instanceof BigInt64Array) return 'int64';
  if (array instanceof Int16Array) return 'int16';
  if (array instanceof Int8Array) return 'int8';
  if (array instanceof Uint8Array) return 'uint8';
  throw new TypeError(`a ${array.constructor.name} says nothing about its dtype; give one`);
}
