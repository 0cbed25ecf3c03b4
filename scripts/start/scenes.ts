import { spawn } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { projectPath, ResimError } from '#libs/core';

const count = 512;
const seed = 1;

/** Folder of sample images under the state folder, drawn once; a start that was stopped meanwhile leaves none. */
export async function sampleImages(
  state: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const folder = join(state, 'scenes');
  const images = join(folder, 'JPEGImages');
  if (existsSync(images)) return images;
  say(`Drawing ${count} sample images into ${folder}`);
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const args = ['scenes', '--out', unfinished, '--count', String(count), '--seed', String(seed)];
  const child = spawn(process.execPath, [projectPath('dist/cli/main.js'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    signal,
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const status = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null)).once('close', resolve);
  });
  if (status !== 0) {
    throw new ResimError(
      'INTERNAL',
      `the sample images could not be drawn: ${stderr.trim() || `status ${status}`}`,
      {
        reason: 'SAMPLE_IMAGES',
      },
    );
  }
  renameSync(unfinished, folder);
  return images;
}
