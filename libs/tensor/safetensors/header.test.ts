import fc from 'fast-check';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ResimError } from '#libs/core';
import { parseHeader, readHeader } from './header.js';

const folder = mkdtempSync(join(tmpdir(), 'resim-header-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file of the given header text (or bytes) and as many bytes of data. */
function fileOf(header: string | Uint8Array, dataBytes: number, length?: bigint): Uint8Array {
  const json = Buffer.from(header);
  const bytes = Buffer.alloc(8 + json.length + dataBytes);
  bytes.writeBigUInt64LE(length ?? BigInt(json.length), 0);
  json.copy(bytes, 8);
  return bytes;
}

const parse = (bytes: Uint8Array) => parseHeader(bytes, bytes.length, 'x.safetensors');

function refusal(bytes: Uint8Array): ResimError {
  try {
    parse(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(ResimError);
    return error as ResimError;
  }
  throw new Error('the header was accepted');
}

const tensor = (dtype: string, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets });

describe('a sound header', () => {
  it('gives the tensors in the order of their bytes, with places in the file', () => {
    const json = JSON.stringify({
      b: tensor('F32', [2, 3], [8, 32]),
      __metadata__: { format: 'pt' },
      a: tensor('I64', [], [0, 8]),
      none: tensor('U8', [0, 4], [8, 8]),
    });
    const header = parse(fileOf(json + '   ', 32));
    const start = 8 + json.length + 3;
    expect([...header.tensors.keys()]).toEqual(['a', 'none', 'b']);
    expect(header.tensors.get('b')).toEqual({
      name: 'b',
      dtype: 'F32',
      shape: [2, 3],
      begin: start + 8,
      end: start + 32,
    });
    expect(header.metadata.get('format')).toBe('pt');
    expect(header.dataStart).toBe(start);
  });

  it('may name a tensor __proto__ or constructor without touching any prototype', () => {
    const header = parse(
      fileOf(
        '{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"constructor":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
        2,
      ),
    );
    expect([...header.tensors.keys()]).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  });
});

describe('a hostile header is refused', () => {
  const one = (entry: unknown) => JSON.stringify({ w: entry });
  const cases: [what: string, bytes: Uint8Array, message: RegExp][] = [
    ['no bytes at all', new Uint8Array(0), /0 bytes, fewer than the 8/],
    ['seven bytes', new Uint8Array(7), /7 bytes, fewer than the 8/],
    ['a length beyond the file', fileOf('{}', 0, 100n), /claims 100 bytes, the file has 10/],
    ['a length beyond the limit', fileOf('{}', 0, 100_000_001n), /more than the 100000000/],
    ['a length of 2^64 - 1', fileOf('{}', 0, 2n ** 64n - 1n), /claims 18446744073709551615 bytes/],
    ['an empty header', fileOf('', 0), /does not begin with \{/],
    ['bytes that are not UTF-8', fileOf(new Uint8Array([0x7b, 0xff, 0x7d]), 0), /not UTF-8/],
    ['a byte-order mark', fileOf('\ufeff{}', 0), /does not begin with \{/],
    ['a list', fileOf('[]', 0), /does not begin with \{/],
    ['cut JSON', fileOf('{"w":', 0), /not JSON/],
    ['a second document', fileOf('{}{}', 0), /not JSON/],
    ['a key twice', fileOf('{"__metadata__":{},"w":1,"w":2}', 0), /key "w" twice/],
    ['a key twice by an escape', fileOf('{"w":1,"\\u0077":2}', 0), /key "w" twice/],
    ['a key twice inside a tensor', fileOf('{"w":{"dtype":"U8","dtype":"F32"}}', 0), /key "dtype" twice/],
    ['a tensor that is a number', fileOf(one(3), 0), /tensor "w" is 3, not an object/],
    ['a tensor that is null', fileOf(one(null), 0), /tensor "w" is null/],
    ['an unknown key', fileOf(one({ ...tensor('U8', [0], [0, 0]), more: 1 }), 0), /unknown key "more"/],
    ['an unknown dtype', fileOf(one(tensor('F8_E4M3', [1], [0, 1])), 1), /dtype "F8_E4M3", known are F64/],
    ['a dtype of Object.prototype', fileOf(one(tensor('toString', [1], [0, 1])), 1), /dtype "toString"/],
    ['no dtype', fileOf(one({ shape: [1], data_offsets: [0, 1] }), 1), /dtype nothing/],
    ['a shape that is no list', fileOf(one(tensor('U8', 1, [0, 1])), 1), /shape 1/],
    ['a negative size', fileOf(one(tensor('U8', [-1], [0, 1])), 1), /shape \[-1\]/],
    ['two negative sizes', fileOf(one(tensor('U8', [-1, -1], [0, 1])), 1), /shape \[-1,-1\]/],
    ['half a size', fileOf(one(tensor('U8', [0.5], [0, 1])), 1), /shape \[0.5\]/],
    ['a size that is text', fileOf(one(tensor('U8', ['1'], [0, 1])), 1), /shape \["1"\]/],
    [
      'sizes that overflow',
      fileOf(one(tensor('U8', [2 ** 32, 2 ** 32], [0, 0])), 0),
      /sizes that a file can hold/,
    ],
    ['offsets that are no pair', fileOf(one(tensor('U8', [1], [0, 1, 2])), 1), /not two whole numbers/],
    ['negative offsets', fileOf(one(tensor('U8', [1], [-1, 0])), 1), /not two whole numbers/],
    [
      'offsets the wrong way',
      fileOf(one(tensor('U8', [1], [1, 0])), 1),
      /-1 bytes, its dtype and shape ask for 1/,
    ],
    ['too few bytes for the shape', fileOf(one(tensor('F32', [2], [0, 4])), 4), /4 bytes.*ask for 8/],
    ['an end beyond the file', fileOf(one(tensor('U8', [9], [0, 9])), 1), /cut short/],
    ['bytes after the last tensor', fileOf(one(tensor('U8', [1], [0, 1])), 2), /belong to no tensor/],
    ['data without a tensor', fileOf('{}', 1), /belong to no tensor/],
    ['a gap', fileOf(one(tensor('U8', [1], [1, 2])), 2), /leaves a gap/],
    [
      'an overlap',
      fileOf(JSON.stringify({ a: tensor('U8', [2], [0, 2]), b: tensor('U8', [2], [1, 3]) }), 3),
      /tensor "b" overlaps/,
    ],
    [
      'two tensors on the same bytes',
      fileOf(JSON.stringify({ a: tensor('U8', [2], [0, 2]), b: tensor('U8', [2], [0, 2]) }), 2),
      /overlaps/,
    ],
    ['metadata that is a list', fileOf('{"__metadata__":[]}', 0), /`__metadata__` is not an object/],
    ['metadata with a number', fileOf('{"__metadata__":{"epoch":3}}', 0), /value 3 at "epoch"/],
  ];
  it.each(cases)('%s', (_what, bytes, message) => {
    const error = refusal(bytes);
    expect(error.code).toBe('DATA_LOSS');
    expect(error.message).toMatch(message);
    expect(error.message).toContain('x.safetensors');
  });

  it('however its bytes were changed, with nothing but a ResimError', () => {
    const sound = fileOf(
      JSON.stringify({
        __metadata__: { step: '12' },
        'backbone.conv1.weight': tensor('F32', [2, 3], [0, 24]),
        'queue.pointer': tensor('I64', [], [24, 32]),
        seen: tensor('BOOL', [4], [32, 36]),
      }),
      36,
    );
    const change = fc.record({
      at: fc.nat(sound.length - 1),
      bytes: fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 12 }),
        fc
          .constantFrom(
            '"',
            '{',
            '}',
            '[',
            ']',
            '-1',
            '1e99',
            '__proto__',
            'null',
            ':',
            ',',
            '\\',
            '\\ud800',
            '9007199254740993',
          )
          .map((text) => new Uint8Array(Buffer.from(text))),
      ),
      remove: fc.nat(12),
      lengthToo: fc.boolean(),
    });
    let refused = 0;
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(60), (changes, cut) => {
        let bytes = Buffer.from(sound);
        for (const { at, bytes: put, remove, lengthToo } of changes) {
          bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + remove)]);
          if (lengthToo && bytes.length >= 44) bytes.writeBigUInt64LE(BigInt(bytes.length - 44), 0);
        }
        if (cut < 20) bytes = bytes.subarray(0, Math.max(0, bytes.length - cut));
        try {
          const { tensors } = parse(bytes);
          // What is accepted must be safe to map: inside the file, in order, no overlap.
          let position = 0;
          for (const { begin, end } of tensors.values()) {
            expect(begin).toBeGreaterThanOrEqual(position);
            expect(end).toBeLessThanOrEqual(bytes.length);
            position = end;
          }
        } catch (error) {
          if (!(error instanceof ResimError)) throw error;
          expect(error.code).toBe('DATA_LOSS');
          refused++;
        }
      }),
      { seed: 20, numRuns: 4000 },
    );
    expect(refused).toBeGreaterThan(1000);
  });
});

describe('a header on disk', () => {
  const path = join(folder, 'model.safetensors');

  it('is refused whenever the file was cut short', () => {
    const bytes = fileOf(JSON.stringify({ w: tensor('F32', [4], [0, 16]) }), 16);
    writeFileSync(path, bytes);
    expect([...readHeader(path).tensors.keys()]).toEqual(['w']);
    for (let length = bytes.length - 1; length >= 0; length--) {
      truncateSync(path, length);
      expect(() => readHeader(path)).toThrow(ResimError);
      expect(() => readHeader(path)).toThrow(path);
    }
  });

  it('does not exist, or is a folder: said so', () => {
    expect(() => readHeader(join(folder, 'absent'))).toThrow(/there is no file .*absent/);
    expect(() => readHeader(folder)).toThrow(/it is not a file/);
  });
});
