import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from '../decode.js';
import { composeScene } from './compose.js';
import { outerContours } from './contour.js';
import { SCENE_CLASSES } from './outlines.js';
import { fillPolygon } from './raster.js';
import { writeScenes } from './write.js';

interface Coco {
  images: { id: number; file_name: string; width: number; height: number }[];
  annotations: {
    image_id: number;
    category_id: number;
    bbox: number[];
    area: number;
    segmentation: number[][];
    iscrowd: number;
  }[];
  categories: { id: number; name: string }[];
}

const folders = [0, 1, 2].map(() => mkdtempSync(join(tmpdir(), 'resim-scenes-')));
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
const COUNT = 20;
const coco: Coco[] = [];
beforeAll(async () => {
  for (const [index, out] of folders.entries())
    await writeScenes({ out, count: COUNT, seed: index === 2 ? 6 : 5 });
  for (const split of ['train', 'val'])
    coco.push(JSON.parse(readFileSync(join(folders[0], `coco/instances_${split}.json`), 'utf8')) as Coco);
});

function digest(folder: string): string {
  const hash = createHash('sha256');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  for (const path of files.map((entry) => join(entry.parentPath, entry.name)).sort())
    hash.update(path.slice(folder.length)).update(readFileSync(path));
  return hash.digest('hex');
}

describe('a data set of scenes', () => {
  it('has the same bytes for the same seed, and others for another', () => {
    expect(digest(folders[1])).toBe(digest(folders[0]));
    expect(digest(folders[2])).not.toBe(digest(folders[0]));
  });

  it('has at least ten classes, sizes of several kinds and no empty image', () => {
    expect(SCENE_CLASSES.length).toBeGreaterThanOrEqual(10);
    const images = coco.flatMap((file) => file.images);
    expect(images).toHaveLength(COUNT);
    expect(new Set(images.map(({ width, height }) => `${width} x ${height}`)).size).toBeGreaterThan(2);
    const annotated = new Set(
      coco.flatMap((file) => file.annotations.map((annotation) => annotation.image_id)),
    );
    expect(annotated.size).toBe(COUNT);
  });

  it('splits its images into training and validation', () => {
    const names = (split: string) =>
      readFileSync(join(folders[0], `ImageSets/Main/${split}.txt`), 'utf8')
        .trim()
        .split('\n');
    expect([names('train').length, names('val').length, names('trainval').length]).toEqual([16, 4, 20]);
    expect(coco[1].images.map(({ file_name }) => file_name)).toEqual(
      names('val').map((name) => `${name}.jpg`),
    );
  });

  it('says the same in VOC and in COCO', () => {
    for (const { images, annotations, categories } of coco) {
      for (const { id, file_name, width, height } of images) {
        const xml = readFileSync(join(folders[0], 'Annotations', file_name.replace('jpg', 'xml')), 'utf8');
        const numbers = (tag: string) =>
          [...xml.matchAll(new RegExp(`<${tag}>(\\d+)</${tag}>`, 'g'))].map((match) => Number(match[1]));
        expect([numbers('width'), numbers('height')]).toEqual([[width], [height]]);
        const boxes = annotations.filter((annotation) => annotation.image_id === id);
        expect(numbers('xmin')).toEqual(boxes.map(({ bbox }) => bbox[0] + 1));
        expect(numbers('ymax')).toEqual(boxes.map(({ bbox }) => bbox[1] + bbox[3]));
        const names = [...xml.matchAll(/<name>(\w+)<\/name>/g)].map((match) => match[1]);
        expect(names).toEqual(boxes.map((box) => categories.find((c) => c.id === box.category_id)?.name));
      }
    }
  });

  it('has polygons that fill to the area and the box of the object, but for holes', () => {
    const sizes = new Map(coco.flatMap((file) => file.images.map((image) => [image.id, image])));
    for (const { image_id, bbox, area, segmentation, iscrowd } of coco.flatMap((file) => file.annotations)) {
      const { width, height } = sizes.get(image_id) as Coco['images'][number];
      let filled = 0;
      const seen = [width, height, 0, 0];
      for (const flat of segmentation) {
        const outline = Array.from({ length: flat.length / 2 }, (_, i): [number, number] => [
          flat[2 * i],
          flat[2 * i + 1],
        ]);
        fillPolygon(outline, width, height, (y, from, to, coverage) => {
          for (let x = from; x < to; x++) {
            if (coverage[x] < 0.5) continue;
            filled++;
            seen.splice(
              0,
              4,
              Math.min(seen[0], x),
              Math.min(seen[1], y),
              Math.max(seen[2], x + 1),
              Math.max(seen[3], y + 1),
            );
          }
        });
      }
      expect(iscrowd).toBe(0);
      expect(filled).toBeGreaterThanOrEqual(area);
      expect(filled).toBeLessThan(area * 1.6 + 10);
      expect([seen[0], seen[1], seen[2] - seen[0], seen[3] - seen[1]]).toEqual(bbox);
    }
  });

  it('has images that decode to their annotated size', async () => {
    for (const { file_name, width, height } of coco[0].images.slice(0, 4)) {
      const image = await decodeImage(join(folders[0], 'JPEGImages', file_name));
      expect([image.width, image.height]).toEqual([width, height]);
    }
  });
});

it('objects hide one another in part, never wholly', () => {
  const objects = Array.from({ length: 20 }, (_, index) => composeScene(3, index).objects).flat();
  expect(objects.filter(({ occluded }) => occluded).length).toBeGreaterThan(10);
  expect(objects.filter(({ truncated }) => truncated).length).toBeGreaterThan(5);
  expect(Math.min(...objects.map(({ area }) => area))).toBeGreaterThan(30);
});

it('parts that touch at a corner are separate polygons, and a hole is filled', () => {
  const mask = ['##...', '##...', '..###', '..#.#', '..###'];
  const has = (x: number, y: number) => mask[y][x] === '#';
  const polygons = outerContours({ width: 5, height: 5, has, box: [0, 0, 5, 5] });
  expect(polygons.map((flat) => flat.length / 2)).toEqual([4, 4]);
  expect(polygons).toEqual([
    [0, 0, 2, 0, 2, 2, 0, 2],
    [2, 2, 5, 2, 5, 5, 2, 5],
  ]);
});

it.each([0, 1.5, -3, 1e9])('the count %d is refused', async (count) => {
  await expect(writeScenes({ out: folders[0], count, seed: 1 })).rejects.toThrow(/`count`.*whole number/);
});
