/** Bytes an element of each dtype that the suite stores takes, by the names of the safetensors format. */
export const dtypeBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const satisfies Record<string, number>;

export type Dtype = keyof typeof dtypeBytes;

export function isDtype(name: unknown): name is Dtype {
  return typeof name === 'string' && Object.hasOwn(dtypeBytes, name);
}

/**
 * Bytes of a dense tensor, or `undefined` when a size is not a whole number from 0 or the product has more bytes
 * than a file offset can count exactly.
 */
export function tensorBytes(dtype: Dtype, shape: readonly unknown[]): number | undefined {
  let bytes: number = dtypeBytes[dtype];
  for (const size of shape) {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
    bytes *= size;
    if (!Number.isSafeInteger(bytes)) return undefined;
  }
  return bytes;
}
