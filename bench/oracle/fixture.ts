import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ResimError } from '#libs/core';
import { tensor, type AnyTypedArray, type DType, type Tensor } from '#libs/tensor';

const STORED = {
  u8: { dtype: 'uint8', array: Uint8Array },
  i32: { dtype: 'int32', array: Int32Array },
  f32: { dtype: 'float32', array: Float32Array },
  f64: { dtype: 'float64', array: Float64Array },
} as const satisfies Record<string, { dtype: DType; array: unknown }>;

interface StoredTensor {
  dtype: keyof typeof STORED;
  shape: number[];
  offset: number;
}

interface Header {
  what: string;
  bin: string;
  inherits?: { from: string; tensors_starting_with: string[] };
  tensors: Record<string, StoredTensor>;
}

/**
 * A recorded case: a JSON header that names tensors in the `.bin` file beside it (little-endian, row-major). A case
 * may take tensors of another one, by the beginning of their names.
 */
export class Fixture<H = Record<string, unknown>> {
  readonly header: H & Header;
  readonly folder: string;
  private readonly bytes: Buffer;
  private readonly parent: Fixture | null;

  constructor(path: string) {
    this.folder = dirname(path);
    try {
      this.header = JSON.parse(readFileSync(path, 'utf8')) as H & Header;
    } catch (cause) {
      throw new ResimError('NOT_FOUND', `${path} is not the header of a recorded case`, { cause });
    }
    if (typeof this.header.bin !== 'string' || !this.header.tensors)
      throw new ResimError('INVALID_ARGUMENT', `${path} names no tensors: not the header of a recorded case`);
    this.bytes = readFileSync(join(this.folder, this.header.bin));
    this.parent = this.header.inherits ? new Fixture(join(this.folder, this.header.inherits.from)) : null;
  }

  private holder(name: string): Fixture | null {
    if (this.header.tensors[name]) return this as Fixture;
    const inherited = this.header.inherits?.tensors_starting_with.some((prefix) => name.startsWith(prefix));
    return inherited ? this.parent!.holder(name) : null;
  }

  has(name: string): boolean {
    return this.holder(name) !== null;
  }

  names(prefix: string): string[] {
    const inherited = this.header.inherits?.tensors_starting_with ?? [];
    const own = Object.keys(this.header.tensors);
    const others =
      this.parent?.names('').filter((name) => inherited.some((start) => name.startsWith(start))) ?? [];
    return [...new Set([...own, ...others])].filter((name) => name.startsWith(prefix));
  }

  entry(name: string): StoredTensor {
    const holder = this.holder(name);
    if (!holder) throw new ResimError('NOT_FOUND', `the recorded case has no tensor ${name}`);
    return holder.header.tensors[name]!;
  }

  values(name: string): AnyTypedArray {
    const { dtype, shape, offset } = this.entry(name);
    const { array } = STORED[dtype];
    const count = shape.reduce((product, size) => product * size, 1);
    const bytes = this.holder(name)!.bytes.subarray(offset, offset + count * array.BYTES_PER_ELEMENT);
    // A copy starts at an address that suits every element type.
    return new array(new Uint8Array(bytes).buffer);
  }

  tensor(name: string, dtype?: DType): Tensor {
    const { dtype: stored, shape } = this.entry(name);
    const made = tensor(this.values(name), shape, { dtype: STORED[stored].dtype });
    return dtype ? made.toDType(dtype) : made;
  }
}
