import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid } from '#libs/core';
import { CocoFile } from './coco.js';
import { composeScene } from './compose.js';
import { encodeJpeg } from './jpeg.js';
import { SCENE_CLASSES } from './outlines.js';
import { vocAnnotation } from './voc.js';

export interface WriteScenesOptions {
  /** Folder to write into; made when missing. */
  out: string;
  /** Number of images, 1 to 100,000. */
  count: number;
  seed: number;
  /** Share of the images that stand in the validation split: the last ones. @default 0.2 */
  validation?: number;
  /** JPEG quality. @default 90 */
  quality?: number;
  onProgress?: (written: number) => void;
}

export interface WrittenScenes {
  /** Folder of the images alone, for pre-training. */
  images: string;
  count: number;
  objects: number;
  classes: readonly string[];
}

/**
 * Writes a data set of synthetic scenes: `JPEGImages/`, `Annotations/` and `ImageSets/Main/` as PASCAL VOC has them, and
 * `coco/instances_train.json`, `coco/instances_val.json`. The same seed and count give the same bytes.
 *
 * @throws ResimError INVALID_ARGUMENT for a count, seed or share out of range
 */
export async function writeScenes(options: WriteScenesOptions): Promise<WrittenScenes> {
  const { out, count, seed, validation = 0.2, quality = 90 } = options;
  if (!Number.isInteger(count) || count < 1 || count > 100_000) {
    throw invalid('count', count, 'a whole number from 1 to 100000');
  }
  if (!(validation >= 0 && validation < 1))
    throw invalid('validation', validation, 'a share from 0 to below 1');
  const folders = ['JPEGImages', 'Annotations', 'ImageSets/Main', 'coco'].map((name) => join(out, name));
  await Promise.all(folders.map((folder) => mkdir(folder, { recursive: true })));
  const [images, annotations, sets, coco] = folders;

  const training = count - Math.floor(count * validation);
  const splits = { train: new CocoFile(), val: new CocoFile() };
  const names: Record<'train' | 'val', string[]> = { train: [], val: [] };
  let objects = 0;
  for (let index = 0; index < count; index++) {
    const scene = composeScene(seed, index);
    const name = String(index + 1).padStart(6, '0');
    const split = index < training ? 'train' : 'val';
    await writeFile(join(images, `${name}.jpg`), encodeJpeg({ ...scene, data: scene.pixels }, quality));
    await writeFile(join(annotations, `${name}.xml`), vocAnnotation(`${name}.jpg`, scene));
    splits[split].add(index + 1, `${name}.jpg`, scene);
    names[split].push(name);
    objects += scene.objects.length;
    options.onProgress?.(index + 1);
  }
  const list = (lines: string[]) => lines.map((line) => `${line}\n`).join('');
  await Promise.all([
    writeFile(join(sets, 'train.txt'), list(names.train)),
    writeFile(join(sets, 'val.txt'), list(names.val)),
    writeFile(join(sets, 'trainval.txt'), list([...names.train, ...names.val])),
    writeFile(join(coco, 'instances_train.json'), String(splits.train)),
    writeFile(join(coco, 'instances_val.json'), String(splits.val)),
  ]);
  return { images, count, objects, classes: SCENE_CLASSES };
}
