import type { Dirent } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ResimError } from '#libs/core';
import { readImageHeader, type HeaderResult } from './image-header.js';
import { headerProblem, MAX_FILE_BYTES } from './image-limits.js';

const EXTENSIONS = /\.(jpe?g|png|webp)$/i;
const HEADER_BYTES = 64 * 1024;
const FILES_AT_ONCE = 16;

/** A file that looks like an image and is not usable. */
export interface SkippedFile {
  /** Path inside the folder, with `/`. */
  path: string;
  reason: string;
}

/** The images of a folder, in an order that depends on their names alone. */
export interface ImageFolder {
  /** Absolute path of the folder. */
  root: string;
  /** Paths inside the folder, with `/`, sorted by code unit: sample `i` of the data set is `files[i]`. */
  files: string[];
  /** Names of the first folder level, sorted, when every image lies in one and there are at least two; else empty. */
  classes: string[];
  /** Index into `classes` of every file, shape `[files]`; null when there are no classes. */
  labels: Int32Array | null;
  skipped: SkippedFile[];
}

async function entries(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    const problem =
      { ENOENT: 'does not exist', ENOTDIR: 'is not a folder', EACCES: 'may not be read' }[code] ??
      `cannot be read (${code})`;
    throw new ResimError('INVALID_ARGUMENT', `the image folder ${folder} ${problem}`, {
      reason: 'IMAGES_FOLDER',
      violations: [{ field: 'images', value: folder, expected: 'a folder of JPEG, PNG or WebP images' }],
      cause,
    });
  }
}

/** Every file with an image's extension below `folder`; links are followed, a circle of links is walked once. */
async function listImages(folder: string): Promise<string[]> {
  const found: string[] = [];
  const walked = new Set<string>();
  const walk = async (inside: string): Promise<void> => {
    const here = join(folder, inside);
    const real = await realpath(here).catch(() => here);
    if (walked.has(real)) return;
    walked.add(real);
    for (const entry of await entries(here)) {
      if (entry.name.startsWith('.')) continue;
      const path = inside === '' ? entry.name : `${inside}/${entry.name}`;
      const directory =
        entry.isDirectory() ||
        (entry.isSymbolicLink() &&
          (await stat(join(folder, path)).catch(() => null))?.isDirectory() === true);
      if (directory) await walk(path);
      else if (EXTENSIONS.test(entry.name)) found.push(path);
    }
  };
  await walk('');
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Why a file cannot be used, as far as its header tells; null when nothing is wrong so far. */
async function fileProblem(path: string): Promise<string | null> {
  let handle;
  try {
    handle = await open(path, 'r');
    const { size } = await handle.stat();
    if (size === 0) return 'is empty';
    if (size > MAX_FILE_BYTES) return `is ${size} bytes, more than the limit of ${MAX_FILE_BYTES}`;
    let header: HeaderResult = 'more';
    // Large colour profiles and previews push a JPEG's frame header beyond the first read.
    for (let bytes = HEADER_BYTES; header === 'more'; bytes *= 16) {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(bytes, size)), 0, undefined, 0);
      header = readImageHeader(buffer.subarray(0, bytesRead));
      if (bytes >= size) break;
    }
    return headerProblem(header);
  } catch (error) {
    return `cannot be opened (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`;
  } finally {
    await handle?.close();
  }
}

async function checkFiles(root: string, files: string[]): Promise<(string | null)[]> {
  const problems: (string | null)[] = new Array(files.length).fill(null);
  let next = 0;
  const worker = async () => {
    while (next < files.length) {
      const index = next++;
      problems[index] = await fileProblem(join(root, files[index]));
    }
  };
  await Promise.all(Array.from({ length: FILES_AT_ONCE }, worker));
  return problems;
}

function noneReadable(root: string, skipped: SkippedFile[]): ResimError {
  const reasons = skipped.slice(0, 3).map(({ path, reason }) => `${path} ${reason}`);
  const why =
    skipped.length === 0
      ? 'it holds no file that ends in .jpg, .jpeg, .png or .webp'
      : `none of its ${skipped.length} image files can be read: ${reasons.join('; ')}${skipped.length > 3 ? '; …' : ''}`;
  return new ResimError('INVALID_ARGUMENT', `the image folder ${root} cannot be used: ${why}`, {
    reason: 'IMAGES_NONE_READABLE',
    violations: [{ field: 'images', value: root, expected: 'a folder with at least one readable image' }],
    metadata: { folder: root, skipped: String(skipped.length) },
  });
}

function classesOf(files: string[]): Pick<ImageFolder, 'classes' | 'labels'> {
  const names = files.map((file) => (file.includes('/') ? file.slice(0, file.indexOf('/')) : null));
  const classes = [...new Set(names)].sort();
  if (names.includes(null) || classes.length < 2) return { classes: [], labels: null };
  const index = new Map(classes.map((name, position) => [name, position]));
  return {
    classes: classes as string[],
    labels: Int32Array.from(names, (name) => index.get(name) as number),
  };
}

/**
 * Finds the images below a folder and checks their headers. Hidden files are passed over.
 *
 * @param root absolute path of the folder
 * @throws ResimError INVALID_ARGUMENT when the folder is missing, empty or has no readable image
 */
export async function openImageFolder(root: string): Promise<ImageFolder> {
  const listed = await listImages(root);
  const problems = await checkFiles(root, listed);
  const files = listed.filter((_, index) => problems[index] === null);
  const skipped = listed.flatMap((path, index) => {
    const reason = problems[index];
    return reason === null ? [] : [{ path, reason }];
  });
  if (files.length === 0) throw noneReadable(root, skipped);
  return { root, files, skipped, ...classesOf(files) };
}
