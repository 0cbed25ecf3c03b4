import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { pairsCommand } from './pairs.js';
import { scenesCommand } from './scenes.js';

const folder = mkdtempSync(join(tmpdir(), 'resim-pairs-'));
const recipe = join(folder, 'own.yaml');
const image = join(folder, 'scenes', 'JPEGImages', '000001.jpg');

/** Runs a command and returns what it printed. */
async function output(run: () => Promise<unknown>): Promise<string> {
  let text = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  await run().finally(() => write.mockRestore());
  return text;
}
const pairs = (...args: string[]) =>
  output(() =>
    pairsCommand()
      .exitOverride()
      .parseAsync(['--image', image, '--recipe', recipe, ...args], { from: 'user' }),
  );

beforeAll(async () => {
  writeFileSync(recipe, 'name: own\nobjective:\n  method: resim-fpn\n');
  const printed = await output(() =>
    scenesCommand().parseAsync(['--out', join(folder, 'scenes'), '--count', '2', '--seed', '3'], {
      from: 'user',
    }),
  );
  expect(printed).toMatch(/^2 images with \d+ objects of 13 classes/);
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('resim pairs', () => {
  it('prints the transforms and the windows of every level as JSON', async () => {
    const pair = JSON.parse(await pairs('--seed', '4', '--index', '7', '--json')) as {
      image: { width: number; height: number };
      flip: boolean;
      views: Record<string, { crop: Record<string, number> }>;
      levels: {
        name: string;
        window: number;
        stride: number;
        query: number[][];
        key: number[][];
        valid: boolean[];
      }[];
    };
    const { width, height } = await sharp(image).metadata();
    expect(pair.image).toEqual({ width, height });
    expect(typeof pair.flip).toBe('boolean');
    expect(Object.keys(pair.views)).toEqual(['query', 'key']);
    expect(
      pair.levels.map(({ name, window, stride, query }) => [name, window, stride, query.length]),
    ).toEqual([
      ['p4', 48, 32, 36],
      ['p3', 32, 24, 64],
    ]);
    const { query, key } = { query: pair.views.query.crop, key: pair.views.key.crop };
    for (const level of pair.levels) {
      level.valid.forEach((valid, index) => {
        if (!valid) expect(level.key[index]).toEqual([0, 0, 1, 1]);
        else
          level.key[index].forEach((value, side) => {
            const [start, extent] =
              side % 2 === 0 ? (['left', 'width'] as const) : (['top', 'height'] as const);
            const inImage = query[start] + (query[extent] * level.query[index][side]) / 224;
            expect(value).toBeCloseTo(((inImage - key[start]) * 224) / key[extent], 9);
          });
      });
    }
  });

  it('gives the same for the same seed, epoch and index', async () => {
    const first = await pairs('--seed', '4', '--json');
    expect(await pairs('--seed', '4', '--json')).toBe(first);
    expect(await pairs('--seed', '4', '--epoch', '1', '--json')).not.toBe(first);
    expect(await pairs('--seed', '4', '--index', '1', '--json')).not.toBe(first);
  });

  it('draws both views, one row a level', async () => {
    const png = join(folder, 'pairs.png');
    await pairs('--seed', '4', '--png', png);
    const { format, width, height } = await sharp(readFileSync(png)).metadata();
    expect([format, width, height]).toEqual(['png', 24 + 2 * (448 + 24), 2 * (40 + 448 + 24)]);
  });

  it('says what is wrong with an option or an image', async () => {
    await expect(pairs('--seed', '1.5')).rejects.toThrow(/`--seed` \(="1\.5"\) must be a whole number/);
    await expect(pairs('--image', recipe)).rejects.toThrow(
      /own\.yaml: neither a JPEG nor a PNG nor a WebP image/,
    );
    await expect(pairs('--set', 'pairing.size=big')).rejects.toThrow(/pairing\.size/);
  });
});
