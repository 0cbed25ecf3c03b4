import type { DType } from './dtype.js';
import type { Tensor } from './generated/tensor.js';
import { readHeader, writeSafetensors, type Dtype, type WrittenFile } from './safetensors/index.js';
import { torchEngine } from './torch-engine.js';

/** Our names of element types beside those of the safetensors format. */
const NAMES: Record<DType, Dtype> = {
  float32: 'F32',
  float64: 'F64',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL',
};
const DTYPE_OF = Object.fromEntries(Object.entries(NAMES).map(([ours, theirs]) => [theirs, ours])) as Record<
  Dtype,
  DType
>;

export interface TensorFile {
  tensors: Map<string, Tensor>;
  metadata: Map<string, string>;
}

/**
 * Opens a safetensors file: tensors over the mapped file, nothing is read before it is used. Changing one changes
 * memory, never the file.
 * @throws ResimError NOT_FOUND, or DATA_LOSS naming what is wrong with the file and the tensor it concerns.
 */
export function loadTensors(path: string): TensorFile {
  const { tensors, metadata } = readHeader(path);
  const entries = [...tensors.values()];
  const mapped = torchEngine().mapFile(
    path,
    entries.map(({ dtype, shape, begin }) => ({ dtype: DTYPE_OF[dtype], shape, begin })),
  );
  return { tensors: new Map(entries.map(({ name }, place) => [name, mapped[place]!])), metadata };
}

/**
 * Writes tensors as a safetensors file, durably (see `writeSafetensors`). One tensor at a time is copied to the CPU.
 * Values are stored in row-major order whatever their memory format.
 */
export function saveTensors(
  path: string,
  tensors: Iterable<readonly [string, Tensor]>,
  metadata: Record<string, string> = {},
): Promise<WrittenFile> {
  return writeSafetensors(
    path,
    Array.from(tensors, ([name, tensor]) => ({
      name,
      dtype: NAMES[tensor.dtype],
      shape: tensor.shape,
      data: () => {
        const values = tensor.shareTypedArray();
        return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      },
    })),
    metadata,
  );
}
