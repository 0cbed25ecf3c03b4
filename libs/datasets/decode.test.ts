import turbo from '@julusian/jpeg-turbo';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, crc32 } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyedRandom, RandomPurpose, ResimError } from '#libs/core';
import { decodeImage } from './decode.js';
import { composeScene } from './scenes/compose.js';
import { encodeJpeg } from './scenes/jpeg.js';

const folder = mkdtempSync(join(tmpdir(), 'resim-decode-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Left half red, right half blue, with a green corner on top left: every orientation looks different. */
const WIDTH = 48;
const HEIGHT = 32;
const data = new Uint8Array(WIDTH * HEIGHT * 3);
for (let y = 0; y < HEIGHT; y++) {
  for (let x = 0; x < WIDTH; x++) {
    const colour = x < 16 && y < 16 ? [0, 200, 0] : x < WIDTH / 2 ? [200, 0, 0] : [0, 0, 200];
    data.set(colour, (y * WIDTH + x) * 3);
  }
}
const picture = (): Sharp => sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });

async function pixelsOf(bytes: Uint8Array) {
  const { width, height, data: rgb } = await decodeImage(bytes);
  expect(rgb.length).toBe(width * height * 3);
  return {
    width,
    height,
    at: (x: number, y: number) => [...rgb.subarray((y * width + x) * 3).subarray(0, 3)],
  };
}

async function refusal(image: string | Uint8Array): Promise<ResimError> {
  const error = await decodeImage(image, { source: 'photos/a.jpg' }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ResimError);
  expect((error as ResimError).reason).toBe('IMAGE_UNREADABLE');
  expect((error as ResimError).message).toMatch(/^photos\/a\.jpg: /);
  return error as ResimError;
}

const close = (actual: number[], expected: number[], tolerance = 12) =>
  actual.forEach((value, index) => expect(Math.abs(value - expected[index])).toBeLessThanOrEqual(tolerance));

describe('every kind of image becomes upright 8-bit RGB', () => {
  it.each<[string, () => Sharp]>([
    ['JPEG', () => picture().jpeg({ quality: 95, chromaSubsampling: '4:4:4' })],
    [
      'progressive JPEG',
      () => picture().jpeg({ quality: 95, progressive: true, chromaSubsampling: '4:4:4' }),
    ],
    ['PNG', () => picture().png()],
    ['palette PNG', () => picture().png({ palette: true, colours: 8 })],
    ['16-bit PNG', () => picture().toColourspace('rgb16').png()],
    ['PNG with an opaque alpha channel', () => picture().ensureAlpha().png()],
    ['WebP', () => picture().webp({ quality: 95 })],
    ['lossless WebP', () => picture().webp({ lossless: true })],
  ])('%s', async (_, encode) => {
    const { width, height, at } = await pixelsOf(await encode().toBuffer());
    expect([width, height]).toEqual([WIDTH, HEIGHT]);
    close(at(4, 4), [0, 200, 0]);
    close(at(4, 28), [200, 0, 0]);
    close(at(44, 4), [0, 0, 200]);
  });

  it.each(['jpeg', 'png'] as const)('grey %s has three equal channels', async (format) => {
    const { at } = await pixelsOf(
      await picture().greyscale().toColourspace('b-w').toFormat(format).toBuffer(),
    );
    const [r, g, b] = at(44, 4);
    expect([g, b]).toEqual([r, r]);
    expect(at(4, 28)).not.toEqual(at(44, 4));
  });

  it('16-bit grey PNG', async () => {
    const { at } = await pixelsOf(await picture().greyscale().toColourspace('grey16').png().toBuffer());
    const [r, g, b] = at(4, 4);
    expect([g, b]).toEqual([r, r]);
    expect(r).toBeGreaterThan(60);
  });

  it('CMYK JPEG', async () => {
    const { at } = await pixelsOf(await picture().toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer());
    const [r, g, b] = at(4, 28);
    expect(r).toBeGreaterThan(g + 60);
    expect(r).toBeGreaterThan(b + 60);
    expect(at(44, 4)[2]).toBeGreaterThan(at(44, 4)[0]);
  });

  it('transparent pixels are laid over white', async () => {
    const clear = {
      create: { width: 8, height: 8, channels: 4 as const, background: { r: 0, g: 0, b: 0, alpha: 0 } },
    };
    const { at } = await pixelsOf(await sharp(clear).png().toBuffer());
    expect(at(3, 3)).toEqual([255, 255, 255]);
  });

  it('of an animation the first frame', async () => {
    const frames = Buffer.concat([Buffer.alloc(16 * 16 * 3, 200), Buffer.alloc(16 * 16 * 3, 20)]);
    const raw = { width: 16, height: 32, channels: 3 as const, pageHeight: 16 };
    const { width, height, at } = await pixelsOf(
      await sharp(frames, { raw }).webp({ lossless: true }).toBuffer(),
    );
    expect([width, height, at(8, 8)[0]]).toEqual([16, 16, 200]);
  });

  it('whatever its name says', async () => {
    const path = join(folder, 'really-a-png.jpg');
    writeFileSync(path, await picture().png().toBuffer());
    expect((await decodeImage(path)).width).toBe(WIDTH);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('EXIF orientation %i, as sharp turns it', async (orientation) => {
    const bytes = await picture()
      .jpeg({ quality: 95, chromaSubsampling: '4:4:4' })
      .withMetadata({ orientation })
      .toBuffer();
    const expected = await sharp(bytes).autoOrient().raw().toBuffer({ resolveWithObject: true });
    const { width, height, at } = await pixelsOf(bytes);
    expect([width, height]).toEqual([expected.info.width, expected.info.height]);
    for (const [x, y] of [
      [3, 3],
      [width - 4, 3],
      [3, height - 4],
      [width - 4, height - 4],
    ])
      close(at(x, y), [...expected.data.subarray((y * width + x) * 3).subarray(0, 3)], 3);
  });
});

/** A PNG that claims a size, with a few bytes of compressed zeros behind it. */
function bomb(width: number, height: number): Buffer {
  const chunk = (type: string, body: Buffer) => {
    const named = Buffer.concat([Buffer.from(type, 'latin1'), body]);
    const frame = Buffer.alloc(8 + named.length);
    frame.writeUInt32BE(body.length, 0);
    named.copy(frame, 4);
    frame.writeUInt32BE(crc32(named), 4 + named.length);
    return frame;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const body = chunk('IDAT', deflateSync(Buffer.alloc(100_000)));
  return Buffer.concat([signature, chunk('IHDR', header), body, chunk('IEND', Buffer.alloc(0))]);
}

describe('what is no image is refused with its name and the reason', () => {
  let jpeg: Buffer;
  let png: Buffer;
  let webp: Buffer;
  beforeAll(async () => {
    jpeg = encodeJpeg({ width: WIDTH, height: HEIGHT, data }, 90);
    png = await picture().png().toBuffer();
    webp = await picture().webp().toBuffer();
  });

  it('30,000 x 30,000 pixels, before anything is decoded', async () => {
    const { message } = await refusal(bomb(30_000, 30_000));
    expect(message).toContain('30000 x 30000 pixels, more than the limit of 50 megapixels');
  });

  it('an SVG', async () => {
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="9" height="9"/></svg>';
    expect((await refusal(Buffer.from(svg))).message).toContain('neither a JPEG nor a PNG nor a WebP image');
  });

  it('a GIF, text, nothing', async () => {
    await refusal(await picture().gif().toBuffer());
    await refusal(Buffer.from('not an image at all'));
    await refusal(Buffer.alloc(0));
  });

  it('a missing file', async () => {
    expect((await refusal(join(folder, 'none.jpg'))).message).toContain('cannot be opened');
  });

  it('a file cut short anywhere', async () => {
    const { pixels, width, height } = composeScene(1, 4);
    const scene = sharp(pixels, { raw: { width, height, channels: 3 } });
    const files = [
      encodeJpeg({ width, height, data: pixels }, 90),
      await scene.clone().png().toBuffer(),
      await scene.clone().webp().toBuffer(),
    ];
    for (const bytes of files) {
      for (const share of [0.001, 0.05, 0.4, 0.7, 0.95])
        await refusal(bytes.subarray(0, Math.floor(bytes.length * share)));
    }
  });

  it('a JPEG with stray bytes between its markers is no broken image', async () => {
    const stray = Buffer.concat([jpeg.subarray(0, 20), Buffer.from([1, 2, 3]), jpeg.subarray(20)]);
    const { at } = await pixelsOf(stray);
    close(at(4, 28), [200, 0, 0]);
  });

  it('a mutated file is decoded or refused, and never anything else', { timeout: 120_000 }, async () => {
    const random = new KeyedRandom(8, { purpose: RandomPurpose.scene });
    let refused = 0;
    for (const bytes of [jpeg, png, webp]) {
      for (let round = 0; round < 200; round++) {
        const mutated = Buffer.from(bytes);
        for (let n = random.integer(1, 8); n > 0; n--)
          mutated[random.integer(0, mutated.length - 1)] = random.integer(0, 255);
        const result = await decodeImage(mutated).catch((error: unknown) => error);
        if (result instanceof Error) {
          expect(result).toBeInstanceOf(ResimError);
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(0);
  });
});

it('what a file decodes to does not depend on the files before it', async () => {
  const { pixels, width, height } = composeScene(1, 2);
  const good = encodeJpeg({ width, height, data: pixels }, 85);
  const before = Buffer.from((await decodeImage(good)).data);
  // Without its quantisation tables a file is broken, even where the decoder has just seen another one's.
  const tableless = Buffer.concat([good.subarray(0, 20), good.subarray(20 + 2 * 69)]);
  await expect(decodeImage(tableless)).rejects.toThrow(/cannot be decoded/);
  expect(Buffer.compare(Buffer.from((await decodeImage(good)).data), before)).toBe(0);
});

it('decoding equals the exact inverse transform, not the fast one', async () => {
  const noise = new KeyedRandom(1, { purpose: RandomPurpose.scene });
  const rough = {
    width: 64,
    height: 64,
    data: Uint8Array.from({ length: 64 * 64 * 3 }, () => noise.integer(0, 255)),
  };
  const bytes = encodeJpeg(rough, 80);
  const fast = turbo.decompressSync(bytes, { format: turbo.FORMAT_RGB });
  const exact = await sharp(bytes).raw().toBuffer();
  const ours = await decodeImage(bytes);
  expect(Buffer.compare(Buffer.from(ours.data), exact)).toBe(0);
  expect(Buffer.compare(fast.data, exact)).not.toBe(0);
});
