import { dtypeOfArray, DTYPES, type AnyTypedArray, type DType } from './dtype.js';
import { currentEngine } from './engine.js';
import type { Tensor } from './generated/tensor.js';

export interface TensorOptions {
  /** @default that of the typed array; float32 for plain numbers */
  dtype?: DType;
  /** Use the array's own memory instead of a copy: it must not be changed while the tensor lives. @default false */
  share?: boolean;
}

/**
 * A CPU tensor of the given shape from values in row-major order.
 * @throws TensorError when the number of values is not that of the shape.
 */
export function tensor(
  values: AnyTypedArray | readonly number[],
  shape: readonly number[],
  options: TensorOptions = {},
): Tensor {
  const array = ArrayBuffer.isView(values) ? values : fromNumbers(values, options.dtype ?? 'float32');
  return currentEngine().fromTypedArray(
    array,
    shape,
    options.dtype ?? dtypeOfArray(array),
    options.share ?? false,
  );
}

function fromNumbers(values: readonly number[], dtype: DType): AnyTypedArray {
  if (dtype === 'bfloat16' || dtype === 'float16')
    throw new TypeError(`plain numbers have no ${dtype} form; make a float32 tensor and convert it`);
  return dtype === 'int64'
    ? BigInt64Array.from(values, BigInt)
    : DTYPES[dtype].array.from(values as number[]);
}

/** A float32 scalar tensor, shape `[]`. */
export function scalar(value: number, dtype: DType = 'float32'): Tensor {
  return tensor([value], [], { dtype });
}
