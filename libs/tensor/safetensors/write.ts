import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { invalid, ResimError } from '#libs/core';
import { type Dtype, dtypeBytes, isDtype, tensorBytes } from './dtypes.js';
import { maxHeaderBytes } from './header.js';

/** A tensor to be stored. */
export interface TensorToWrite {
  name: string;
  dtype: Dtype;
  shape: readonly number[];
  /**
   * The elements, dense, little-endian; or a function that gives them, called when their turn comes, so that a
   * tensor that must be copied first (from a device, to contiguous) is held in memory alone.
   */
  data: Uint8Array | (() => Uint8Array);
}

export interface WrittenFile {
  /** Of the whole file, lower-case hex. */
  sha256: string;
  bytes: number;
}

/** Written and hashed in pieces of this many bytes, so that other work of the process gets its turn between them. */
const pieceBytes = 8 << 20;

/** Half of a pair alone: JavaScript allows it in a string, UTF-8 has no bytes for it. */
const loneSurrogate = /\p{Surrogate}/u;

interface Planned extends TensorToWrite {
  bytes: number;
}

/** Wide elements first, then by name: every tensor is aligned to its elements, and equal contents are equal bytes. */
function plan(tensors: Iterable<TensorToWrite>): Planned[] {
  const names = new Set<string>();
  const planned: Planned[] = [];
  for (const tensor of tensors) {
    const { name, dtype, shape } = tensor;
    if (name === '__metadata__' || loneSurrogate.test(name))
      throw invalid('name', name, 'a name that the format can hold');
    if (names.has(name)) throw invalid('name', name, 'different from the names of the other tensors');
    if (!isDtype(dtype))
      throw invalid(`${name}.dtype`, dtype, `one of ${Object.keys(dtypeBytes).join(', ')}`);
    const bytes = tensorBytes(dtype, shape);
    if (bytes === undefined) throw invalid(`${name}.shape`, shape, 'a list of whole numbers from 0');
    names.add(name);
    planned.push({ ...tensor, bytes });
  }
  return planned.sort((a, b) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype] || (a.name < b.name ? -1 : 1));
}

/** Built as text, because an object would put names that look like numbers first and swallow `__proto__`. */
function headerOf(tensors: Planned[], metadata: Record<string, string>): Uint8Array {
  const members: string[] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) {
    const pairs = keys.map((key) => {
      const value = metadata[key]!;
      if (typeof value !== 'string' || loneSurrogate.test(value) || loneSurrogate.test(key)) {
        throw invalid(`metadata.${key}`, value, 'a string');
      }
      return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
    });
    members.push(`"__metadata__":{${pairs.join(',')}}`);
  }
  let position = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    const value = JSON.stringify({ dtype, shape, data_offsets: [position, position + bytes] });
    members.push(`${JSON.stringify(name)}:${value}`);
    position += bytes;
  }
  const json = Buffer.from(`{${members.join(',')}}`, 'utf8');
  if (json.length > maxHeaderBytes) {
    throw invalid(
      'tensors',
      `${json.length} bytes of header`,
      `described in at most ${maxHeaderBytes} bytes`,
    );
  }
  // Spaces up to a multiple of eight, so that the data begins aligned.
  const padded = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  padded.writeBigUInt64LE(BigInt(padded.length - 8), 0);
  json.copy(padded, 8);
  return padded;
}

async function writeAll(
  file: FileHandle,
  bytes: Uint8Array,
  onPiece: (piece: Uint8Array) => void,
): Promise<void> {
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    const piece = bytes.subarray(start, start + pieceBytes);
    for (let done = 0; done < piece.length;) done += (await file.write(piece, done)).bytesWritten;
    onPiece(piece);
  }
}

function writeFailed(path: string, cause: NodeJS.ErrnoException): ResimError {
  const full = cause.code === 'ENOSPC' || cause.code === 'EDQUOT';
  return new ResimError(
    full ? 'RESOURCE_EXHAUSTED' : 'FAILED_PRECONDITION',
    full
      ? `${path} was not written: the disk is full; what stood there before is untouched`
      : `${path} was not written: ${cause.message}`,
    { reason: full ? 'DISK_FULL' : 'WRITE_FAILED', metadata: { file: path }, cause },
  );
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Writes a safetensors file so that after a crash at any moment the path holds either what it held before or the
 * whole new file: written beside it, fsynced, renamed over it, folder fsynced. A failed fsync is a failed write and
 * is never tried again (the kernel may have dropped the pages).
 *
 * @param tensors in any order; the file's order and bytes depend on the contents alone
 * @param metadata of the format, string to string
 * @returns size and SHA-256 of the file, computed while it was written
 * @throws ResimError INVALID_ARGUMENT naming the tensor that does not fit its dtype and shape, RESOURCE_EXHAUSTED on a
 *   full disk, FAILED_PRECONDITION when the folder cannot be written
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata: Record<string, string> = {},
): Promise<WrittenFile> {
  const planned = plan(tensors);
  const header = headerOf(planned, metadata);
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  const hash = createHash('sha256');
  let bytes = 0;
  const count = (piece: Uint8Array) => {
    hash.update(piece);
    bytes += piece.length;
  };
  try {
    const file = await open(temporary, 'wx');
    try {
      await writeAll(file, header, count);
      for (const tensor of planned) {
        const data = typeof tensor.data === 'function' ? tensor.data() : tensor.data;
        if (data.byteLength !== tensor.bytes) {
          const expected = `${tensor.bytes} bytes, as its dtype ${tensor.dtype} and shape [${tensor.shape}] ask for`;
          throw invalid(`${tensor.name}.data`, `${data.byteLength} bytes`, expected);
        }
        await writeAll(file, data, count);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw cause instanceof ResimError ? cause : writeFailed(path, cause as NodeJS.ErrnoException);
  }
  return { sha256: hash.digest('hex'), bytes };
}
