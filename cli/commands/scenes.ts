import { resolve } from 'node:path';
import { Command } from 'commander';
import { writeScenes } from '#libs/datasets';
import { wholeNumber } from '../whole-number.js';

interface ScenesOptions {
  out: string;
  count: string;
  seed: string;
  json?: boolean;
}

async function scenes(options: ScenesOptions): Promise<void> {
  const out = resolve(options.out);
  const count = wholeNumber('--count', options.count);
  const written = await writeScenes({ out, count, seed: wholeNumber('--seed', options.seed) });
  const text = `${written.count} images with ${written.objects} objects of ${written.classes.length} classes in ${out}\n`;
  process.stdout.write(options.json ? `${JSON.stringify(written)}\n` : text);
}

/** `resim scenes`: a data set of synthetic scenes with VOC and COCO annotations. Needs no server. */
export function scenesCommand(): Command {
  return new Command('scenes')
    .description('make a data set of synthetic scenes')
    .requiredOption('--out <folder>', 'folder to write into')
    .option('--count <n>', 'number of images', '500')
    .option('--seed <n>', 'the same seed gives the same bytes', '0')
    .option('--json', 'print what was written as JSON')
    .addHelpText('after', '\nExample:\n  $ resim scenes --out scenes --count 500')
    .action(scenes);
}
