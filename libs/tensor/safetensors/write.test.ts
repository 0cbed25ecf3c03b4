import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ResimError } from '#libs/core';
import { dtypeBytes, type Dtype } from './dtypes.js';
import { readHeader } from './header.js';
import { type TensorToWrite, writeSafetensors } from './write.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'resim-write-'));
  path = join(folder, 'model.safetensors');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytesOf = (length: number, first: number) => Uint8Array.from({ length }, (_, i) => (first + i) % 256);

/** One tensor `[3, 2]` of every dtype. */
const everyDtype = (): TensorToWrite[] =>
  (Object.keys(dtypeBytes) as Dtype[]).map((dtype, i) => ({
    name: `t.${dtype}`,
    dtype,
    shape: [3, 2],
    data: bytesOf(6 * dtypeBytes[dtype], 10 * i),
  }));

describe('a written file', () => {
  it('gives back every dtype, shape, byte and metadata', async () => {
    const tensors = everyDtype();
    await writeSafetensors(path, tensors, { step: '7', recipe: '{"name":"ä"}' });
    const header = readHeader(path);
    const file = readFileSync(path);
    expect(header.tensors.size).toBe(tensors.length);
    for (const { name, dtype, shape, data } of tensors) {
      const entry = header.tensors.get(name)!;
      expect(entry).toMatchObject({ dtype, shape });
      expect(file.subarray(entry.begin, entry.end).equals(data as Uint8Array)).toBe(true);
      expect(entry.begin % dtypeBytes[dtype]).toBe(0);
    }
    expect([...header.metadata]).toEqual([
      ['recipe', '{"name":"ä"}'],
      ['step', '7'],
    ]);
    expect(header.dataStart % 8).toBe(0);
  });

  it('has the hash and the size that were returned', async () => {
    // Larger than one piece, so that the hash is put together from several.
    const { sha256, bytes } = await writeSafetensors(path, [
      { name: 'big', dtype: 'U8', shape: [20_000_003], data: bytesOf(20_000_003, 1) },
    ]);
    const file = readFileSync(path);
    expect(bytes).toBe(file.length);
    expect(sha256).toBe(createHash('sha256').update(file).digest('hex'));
  });

  it('has the same bytes whatever the order of its tensors and metadata', async () => {
    const first = await writeSafetensors(path, everyDtype(), { a: '1', b: '2' });
    const second = await writeSafetensors(path, everyDtype().reverse(), { b: '2', a: '1' });
    expect(second).toEqual(first);
  });

  it('keeps names that an object would lose or reorder', async () => {
    const names = ['10', '9', '__proto__', 'ü"\\', ''];
    await writeSafetensors(
      path,
      names.map((name) => ({ name, dtype: 'U8', shape: [1], data: bytesOf(1, 0) })),
    );
    expect([...readHeader(path).tensors.keys()].sort()).toEqual([...names].sort());
  });

  it('asks for lazy data one tensor at a time', async () => {
    const order: string[] = [];
    const lazy = (name: string) => ({
      name,
      dtype: 'U8' as const,
      shape: [2],
      data: () => {
        order.push(name);
        return bytesOf(2, 5);
      },
    });
    await writeSafetensors(path, [lazy('b'), lazy('a')]);
    expect(order).toEqual(['a', 'b']);
  });

  it('may hold no tensor and an empty one', async () => {
    await writeSafetensors(path, []);
    expect(readHeader(path).tensors.size).toBe(0);
    await writeSafetensors(path, [{ name: 'e', dtype: 'F32', shape: [0, 5], data: new Uint8Array(0) }]);
    expect(readHeader(path).tensors.get('e')?.shape).toEqual([0, 5]);
  });
});

describe('a write that cannot be done', () => {
  const good: TensorToWrite = { name: 'a', dtype: 'U8', shape: [1], data: bytesOf(1, 0) };
  const cases: [what: string, tensors: TensorToWrite[], field: string][] = [
    ['data of another size', [good, { name: 'w', dtype: 'F32', shape: [2], data: bytesOf(7, 0) }], 'w.data'],
    ['a name twice', [good, good], 'name'],
    ['the reserved name', [{ ...good, name: '__metadata__' }], 'name'],
    ['a name that is not Unicode', [{ ...good, name: '\ud800' }], 'name'],
    ['a negative size', [{ ...good, shape: [-1] }], 'a.shape'],
    ['an unknown dtype', [{ ...good, dtype: 'F8' as Dtype }], 'a.dtype'],
  ];
  it.each(cases)('%s: names the field and leaves the file of before alone', async (_what, tensors, field) => {
    writeFileSync(path, 'before');
    const error = await writeSafetensors(path, tensors).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ResimError);
    expect((error as ResimError).violations[0]?.field).toBe(field);
    expect(readFileSync(path, 'utf8')).toBe('before');
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });

  it('says which file when the folder is missing', async () => {
    const missing = join(folder, 'no', 'model.safetensors');
    await expect(writeSafetensors(missing, [good])).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining(missing) as string,
    });
  });

  const tmpfs = mkdtempSync(join(tmpdir(), 'resim-full-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', tmpfs]).status === 0;
  afterAll(() => {
    if (mounted) spawnSync('umount', ['-l', tmpfs]);
    rmSync(tmpfs, { recursive: true, force: true });
  });

  it.skipIf(!mounted)('says that the disk is full and keeps the file of before', async () => {
    const full = join(tmpfs, 'model.safetensors');
    const before = await writeSafetensors(full, [good]);
    const large: TensorToWrite = { name: 'w', dtype: 'U8', shape: [2 << 20], data: new Uint8Array(2 << 20) };
    await expect(writeSafetensors(full, [large])).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringMatching(/disk is full/) as string,
    });
    expect(readdirSync(tmpfs)).toEqual(['model.safetensors']);
    expect(readFileSync(full)).toHaveLength(before.bytes);
  });
});
