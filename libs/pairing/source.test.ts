import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage, writeScenes } from '#libs/datasets';
import type { Batch, BatchSource } from './batch.js';
import { openBatches, type OpenBatchesOptions } from './open.js';
import { resolvePairing } from './options.js';
import { makePair } from './pair.js';

const folder = mkdtempSync(join(tmpdir(), 'resim-batches-'));
const images = join(folder, 'scenes', 'JPEGImages');
const broken = join(folder, 'broken');
const pairing = resolvePairing({
  size: 64,
  levels: [
    { name: 'p4', window: 24, stride: 12 },
    { name: 'p3', window: 16, stride: 8 },
  ],
});
const common = { images, pairing, seed: 9, batchSize: 5 };

beforeAll(async () => {
  await writeScenes({ out: join(folder, 'scenes'), count: 12, seed: 2 });
  cpSync(images, broken, { recursive: true });
  // Sound headers, pixels missing: found out only when they are decoded.
  for (const name of ['000003.jpg', '000004.jpg']) {
    const bytes = readFileSync(join(broken, name));
    writeFileSync(join(broken, name), bytes.subarray(0, bytes.length >> 1));
  }
  writeFileSync(join(broken, 'text.jpg'), 'no image');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function digest(batch: Batch): string {
  const hash = createHash('sha256').update(JSON.stringify([batch.step, batch.epoch, batch.count]));
  const bytes = ({ buffer, byteOffset, byteLength }: Uint8Array | Float32Array | Int32Array) =>
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  bytes(batch.samples);
  batch.views.forEach(({ name, pixels }) => bytes((hash.update(name), pixels)));
  batch.regions.forEach(({ query, key, valid }) => [query, key, valid].forEach(bytes));
  return hash.digest('hex');
}

async function digests(options: Partial<OpenBatchesOptions>, steps: number): Promise<string[]> {
  const source = await openBatches({ ...common, ...options });
  const found: string[] = [];
  for (let step = 0; step < steps; step++) {
    const batch = await source.next();
    found.push(digest(batch));
    source.release?.(batch);
  }
  await source.close();
  return found;
}

const drain = async (source: BatchSource, steps: number): Promise<Batch[]> => {
  const batches: Batch[] = [];
  for (let step = 0; step < steps; step++) batches.push(await source.next());
  await source.close();
  return batches;
};

describe('a batch is a function of seed and step', () => {
  it('whatever the number of worker threads and of batches made ahead', async () => {
    const alone = await digests({ workers: 0 }, 7);
    expect(await digests({ workers: 1 }, 7)).toEqual(alone);
    expect(await digests({ workers: 3, prefetch: 5 }, 7)).toEqual(alone);
    expect(await digests({ workers: 2, prefetch: 0 }, 7)).toEqual(alone);
    expect(new Set(alone).size).toBe(7);
  });

  it('wherever the source starts', async () => {
    const all = await digests({ workers: 2 }, 7);
    expect(await digests({ workers: 1, startStep: 4 }, 3)).toEqual(all.slice(4));
    expect(await digests({ workers: 0, startStep: 4 }, 3)).toEqual(all.slice(4));
    expect(await digests({ workers: 0, seed: 10 }, 1)).not.toEqual(all.slice(0, 1));
  });

  it('in which every row is the pair that its image gives alone', async () => {
    const source = await openBatches({ ...common, workers: 2, startStep: 2 });
    const [batch] = await drain(source, 1);
    const files = readdirSync(images).sort();
    expect(batch.epoch).toBe(1);
    for (const [row, sample] of batch.samples.entries()) {
      const image = await decodeImage(join(images, files[sample]));
      const pair = makePair(image, pairing, { seed: common.seed, epoch: 1, sample });
      batch.views.forEach(({ pixels, size }, view) => {
        const bytes = size * size * 3;
        expect(Buffer.compare(pixels.subarray(row * bytes, (row + 1) * bytes), pair.pixels[view])).toBe(0);
      });
      batch.regions.forEach(({ count, query, key, valid }, level) => {
        const part = <T extends Float32Array | Uint8Array>(values: T, width: number) => [
          ...values.subarray(row * count * width, (row + 1) * count * width),
        ];
        expect(part(query, 4)).toEqual(pair.levels[level].query.flat());
        expect(part(key, 4)).toEqual(pair.levels[level].key.flat().map(Math.fround));
        expect(part(valid, 1)).toEqual(pair.levels[level].valid.map(Number));
      });
    }
  });
});

it('an epoch shows every image at most once, and the next one in another order', async () => {
  const source = await openBatches({ ...common, batchSize: 4, workers: 0 });
  expect([source.stepsPerEpoch, source.images, source.skipped]).toEqual([3, 12, 0]);
  const batches = await drain(source, 6);
  const samples = (epoch: number) =>
    batches.filter((batch) => batch.epoch === epoch).flatMap((batch) => [...batch.samples]);
  expect([...samples(0)].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, index) => index));
  expect([...samples(1)].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, index) => index));
  expect(samples(1)).not.toEqual(samples(0));
});

describe('a broken file', () => {
  it('is reported once, and the next readable one takes its place, the same in every thread', async () => {
    const results = await Promise.all(
      [0, 1, 3].map(async (workers) => {
        const warnings: string[] = [];
        const source = await openBatches({
          ...common,
          images: broken,
          batchSize: 4,
          workers,
          onWarning: (message) => warnings.push(message),
        });
        const batches = await drain(source, 3);
        return { batches, warnings: warnings.sort(), skipped: source.skipped, images: source.images };
      }),
    );
    for (const { batches, warnings, skipped, images: found } of results) {
      expect(warnings).toEqual([
        expect.stringMatching(/^skipped 000003\.jpg: cannot be decoded \(Premature end/),
        expect.stringMatching(/^skipped 000004\.jpg: cannot be decoded/),
        'skipped text.jpg: neither a JPEG nor a PNG nor a WebP image',
      ]);
      expect([skipped, found]).toEqual([3, 12]);
      const samples = batches.flatMap((batch) => [...batch.samples]);
      expect(samples.filter((sample) => sample === 4)).toHaveLength(3);
      expect(samples).not.toContain(2);
      expect(batches.map(digest)).toEqual(results[0].batches.map(digest));
    }
  });

  it('everywhere ends the source with an error that names the folder', async () => {
    const hopeless = join(folder, 'hopeless');
    cpSync(broken, hopeless, { recursive: true });
    const half = readFileSync(join(broken, '000003.jpg'));
    for (const name of readdirSync(hopeless)) writeFileSync(join(hopeless, name), half);
    for (const workers of [0, 2]) {
      const source = await openBatches({ ...common, images: hopeless, workers });
      await expect(source.next()).rejects.toMatchObject({
        name: 'ResimError',
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('none of its 13 images can be decoded') as string,
      });
      await source.close();
    }
  });
});

describe('a source of batches', () => {
  it('refuses a data set smaller than a batch', async () => {
    await expect(openBatches({ ...common, batchSize: 13 })).rejects.toThrow(
      /`batchSize` \(=13\) must be at most 12/,
    );
  });

  it('makes no more batches ahead than it was told', async () => {
    const source = await openBatches({ ...common, workers: 1, prefetch: 1 });
    const first = await source.next();
    const kept = digest(first);
    for (let step = 0; step < 4; step++) await source.next();
    // Not given back, so nothing has been written over it.
    expect(digest(first)).toBe(kept);
    await source.close();
  });

  it('once closed ends its threads and gives no further batch', async () => {
    const source = await openBatches({ ...common, workers: 2 });
    const waiting = Promise.allSettled([source.next(), source.next(), source.next(), source.next()]);
    await source.close();
    for (const result of await waiting) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'CANCELLED' });
    }
    await expect(source.next()).rejects.toMatchObject({ code: 'CANCELLED' });
    await source.close();
  });
});
