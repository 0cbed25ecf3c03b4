import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openImageFolder } from './image-folder.js';

let root: string;
let image: Buffer;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'resim-folder-'));
  image = await sharp({ create: { width: 9, height: 7, channels: 3, background: '#345' } })
    .jpeg()
    .toBuffer();
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, bytes: Buffer | string = image): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), bytes);
}

describe('an image folder', () => {
  it('is read to its depth, in the order of the names', async () => {
    for (const path of [
      'b/2.JPG',
      'b/10.jpeg',
      'a/deep/er/1.png',
      'c/x.webp',
      'notes.txt',
      '.hidden.jpg',
      'b/.git/z.jpg',
    ])
      put(path);
    const { files, skipped } = await openImageFolder(root);
    expect(files).toEqual(['a/deep/er/1.png', 'b/10.jpeg', 'b/2.JPG', 'c/x.webp']);
    expect(skipped).toEqual([]);
  });

  it('has classes when every image lies in one of several folders', async () => {
    for (const path of ['dog/1.jpg', 'cat/2.jpg', 'cat/sub/3.jpg']) put(path);
    const { classes, labels } = await openImageFolder(root);
    expect(classes).toEqual(['cat', 'dog']);
    expect([...(labels as Int32Array)]).toEqual([0, 0, 1]);
    put('stray.jpg');
    expect((await openImageFolder(root)).labels).toBeNull();
  });

  it('follows links, and a circle of links once', async () => {
    put('one/1.jpg');
    symlinkSync(join(root, 'one/1.jpg'), join(root, 'linked.jpg'));
    symlinkSync(root, join(root, 'one/round'));
    expect((await openImageFolder(root)).files).toEqual(['linked.jpg', 'one/1.jpg']);
  });

  it('names the files that it leaves out, with the reason', async () => {
    put('good.jpg');
    put('empty.jpg', '');
    put('text.png', 'I am a text and not an image');
    put('half.jpg', image.subarray(0, 20));
    symlinkSync(join(root, 'gone'), join(root, 'dangling.jpg'));
    const { files, skipped } = await openImageFolder(root);
    expect(files).toEqual(['good.jpg']);
    expect(skipped).toEqual([
      { path: 'dangling.jpg', reason: expect.stringContaining('ENOENT') as string },
      { path: 'empty.jpg', reason: 'is empty' },
      { path: 'half.jpg', reason: 'ends inside its header' },
      { path: 'text.png', reason: 'neither a JPEG nor a PNG nor a WebP image' },
    ]);
  });

  it('finds the size of a JPEG behind a large profile', async () => {
    const filler = Buffer.alloc(65_533 + 2);
    filler.set([0xff, 0xed, 0xff, 0xff]);
    const long = Buffer.concat([image.subarray(0, 2), filler, filler, filler, image.subarray(2)]);
    put('profile.jpg', long);
    expect((await openImageFolder(root)).files).toEqual(['profile.jpg']);
  });

  it('without a readable image is an error that says what stood there', async () => {
    await expect(openImageFolder(root)).rejects.toThrow(/holds no file that ends in \.jpg/);
    for (const name of ['a', 'b', 'c', 'd']) put(`${name}.jpg`, 'broken');
    await expect(openImageFolder(root)).rejects.toThrow(
      /none of its 4 image files can be read: a\.jpg .*; …/,
    );
  });

  it('that is missing or a file is an error that says so', async () => {
    await expect(openImageFolder(join(root, 'nowhere'))).rejects.toThrow(/nowhere does not exist/);
    put('file.jpg');
    await expect(openImageFolder(join(root, 'file.jpg'))).rejects.toThrow(/is not a folder/);
  });
});
