import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { ResimError, show } from '#libs/core';
import { duplicateKey } from './duplicates.js';
import { type Dtype, dtypeBytes, isDtype, tensorBytes } from './dtypes.js';

/** Longest header that is read, in bytes: the limit of the format's reference implementation. */
export const maxHeaderBytes = 100_000_000;

/** One tensor of a file. Its bytes are `[begin, end)` of the file, counted from the file's first byte. */
export interface TensorEntry {
  name: string;
  dtype: Dtype;
  shape: number[];
  begin: number;
  end: number;
}

export interface SafetensorsHeader {
  /** By name, in the order of their bytes. A Map, because `__proto__` is a legal name. */
  tensors: Map<string, TensorEntry>;
  metadata: Map<string, string>;
  /** Where the data begins in the file: 8 + the length of the header. */
  dataStart: number;
}

function damaged(file: string, what: string, tensor?: string): ResimError {
  return new ResimError('DATA_LOSS', `${file} is not a whole safetensors file: ${what}`, {
    reason: 'SAFETENSORS_DAMAGED',
    metadata: tensor === undefined ? { file } : { file, tensor },
  });
}

/** Length of the header from the first eight bytes (little-endian), checked against the file and the limit. */
function headerLength(prefix: Uint8Array, fileBytes: number, file: string): number {
  if (prefix.length < 8 || fileBytes < 8) {
    throw damaged(
      file,
      `it has ${Math.min(prefix.length, fileBytes)} bytes, fewer than the 8 of the header's length`,
    );
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    throw damaged(
      file,
      `its header claims ${length} bytes, more than the ${maxHeaderBytes} that are allowed`,
    );
  }
  if (length > BigInt(fileBytes - 8)) {
    throw damaged(file, `its header claims ${length} bytes, the file has ${fileBytes} in all`);
  }
  return Number(length);
}

function parseJson(bytes: Uint8Array, file: string): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ResimError('DATA_LOSS', `${file} is not a whole safetensors file: its header is not UTF-8`, {
      reason: 'SAFETENSORS_DAMAGED',
      metadata: { file },
      cause,
    });
  }
  if (!text.startsWith('{')) throw damaged(file, 'its header does not begin with {');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged(file, 'its header is not JSON');
  }
  // JSON.parse keeps the last of two equal keys in silence, and then two readers disagree about one file.
  const twice = duplicateKey(text);
  if (twice !== undefined) throw damaged(file, `its header has the key ${show(twice)} twice`, twice);
  return value as Record<string, unknown>;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseMetadata(value: unknown, file: string): Map<string, string> {
  if (!isObject(value)) throw damaged(file, '`__metadata__` is not an object');
  const metadata = new Map<string, string>();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw damaged(
        file,
        `\`__metadata__\` has the value ${show(text)} at ${show(key)}, only strings are allowed`,
      );
    }
    metadata.set(key, text);
  }
  return metadata;
}

function parseEntry(name: string, value: unknown, dataStart: number, file: string): TensorEntry {
  const refuse = (what: string) => damaged(file, `tensor ${show(name)} ${what}`, name);
  if (!isObject(value)) throw refuse(`is ${show(value)}, not an object`);
  for (const key of Object.keys(value)) {
    if (key !== 'dtype' && key !== 'shape' && key !== 'data_offsets')
      throw refuse(`has the unknown key ${show(key)}`);
  }
  // An own `__proto__` key lands here as an unknown one: JSON.parse makes it a plain property.
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) {
    throw refuse(`has the dtype ${show(dtype)}, known are ${Object.keys(dtypeBytes).join(', ')}`);
  }
  const bytes = Array.isArray(shape) ? tensorBytes(dtype, shape) : undefined;
  if (bytes === undefined)
    throw refuse(`has the shape ${show(shape)}, which is not a list of sizes that a file can hold`);
  if (
    !Array.isArray(offsets) ||
    offsets.length !== 2 ||
    !offsets.every((o) => Number.isSafeInteger(o) && o >= 0)
  ) {
    throw refuse(`has the data_offsets ${show(offsets)}, not two whole numbers from 0`);
  }
  const [begin, end] = offsets as [number, number];
  if (end - begin !== bytes) {
    throw refuse(`has data_offsets of ${end - begin} bytes, its dtype and shape ask for ${bytes}`);
  }
  return { name, dtype, shape: shape as number[], begin: dataStart + begin, end: dataStart + end };
}

/**
 * Reads and checks the header of a safetensors file. Everything that a later read relies on holds afterwards: the
 * dtypes are known, every shape has the bytes of its range, and the ranges fill the data section in order without
 * gap, overlap or rest.
 *
 * @param bytes the file's first bytes, the whole header at least (more is not looked at)
 * @param fileBytes size of the whole file
 * @param file how messages call the file
 * @throws ResimError DATA_LOSS (reason SAFETENSORS_DAMAGED) naming the file and the tensor
 *
 * Source: the format's specification, https://github.com/huggingface/safetensors#format
 */
export function parseHeader(bytes: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  const length = headerLength(bytes, fileBytes, file);
  const dataStart = 8 + length;
  if (bytes.length < dataStart) throw damaged(file, `its header of ${length} bytes ends early`);
  const json = parseJson(bytes.subarray(8, dataStart), file);

  let metadata = new Map<string, string>();
  const entries: TensorEntry[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') metadata = parseMetadata(value, file);
    else entries.push(parseEntry(name, value, dataStart, file));
  }

  // By end as well, so that empty tensors stand before the one that begins where they do.
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let position = dataStart;
  for (const { name, begin, end } of entries) {
    if (begin !== position) {
      const how = begin < position ? 'overlaps the one before it' : 'leaves a gap before it';
      throw damaged(
        file,
        `tensor ${show(name)} ${how} (begins at byte ${begin} of the file, expected ${position})`,
        name,
      );
    }
    position = end;
  }
  if (position !== fileBytes) {
    const how = position > fileBytes ? 'it was cut short' : 'bytes that belong to no tensor follow';
    throw damaged(file, `its tensors end at byte ${position}, the file has ${fileBytes}: ${how}`);
  }
  return { tensors: new Map(entries.map((entry) => [entry.name, entry])), metadata, dataStart };
}

function readExactly(fd: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const got = readSync(fd, bytes, filled, length - filled, filled);
    if (got === 0) break;
    filled += got;
  }
  return bytes.subarray(0, filled);
}

/**
 * `parseHeader` of a file on disk; reads the header alone.
 * @throws ResimError NOT_FOUND when there is no such file, FAILED_PRECONDITION when it may not be read, DATA_LOSS as
 *   `parseHeader`
 */
export function readHeader(path: string): SafetensorsHeader {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new ResimError(
      missing ? 'NOT_FOUND' : 'FAILED_PRECONDITION',
      missing ? `there is no file ${path}` : `${path} cannot be opened: ${(cause as Error).message}`,
      { reason: 'SAFETENSORS_UNREADABLE', metadata: { file: path }, cause },
    );
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw damaged(path, 'it is not a file');
    const prefix = readExactly(fd, Math.min(8, stat.size));
    return parseHeader(readExactly(fd, 8 + headerLength(prefix, stat.size, path)), stat.size, path);
  } finally {
    closeSync(fd);
  }
}
