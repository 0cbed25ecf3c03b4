import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { decodeImage } from '#libs/datasets';
import { drawPair, makePair, type Pair } from '#libs/pairing';
import { loadRecipe } from '#libs/pretraining';
import { wholeNumber } from '../whole-number.js';

interface PairsOptions {
  image: string;
  recipe: string;
  seed: string;
  epoch: string;
  index: string;
  set: string[];
  json?: boolean;
  png?: string;
}

/** What `--json` prints: boxes in pixels of the views, crops in pixels of the image, mirrored first where `flip`. */
function describePair({ image, transform, levels }: Pair) {
  const views = transform.views.map(({ name, crop, size, mirrored, steps }) => [
    name,
    { crop, size, mirrored, steps },
  ]);
  return { image, flip: transform.flip, views: Object.fromEntries(views), levels };
}

function summary(pair: Pair): string {
  const lines = pair.transform.views.map(({ name, crop, steps }) => {
    const done = steps.map((step) => step.op).join(', ') || 'no change of colour';
    return `${name}: ${crop.width} x ${crop.height} at ${crop.left}, ${crop.top}; ${done}`;
  });
  const kept = pair.levels.map(
    ({ name, valid }) => `${name}: ${valid.filter(Boolean).length} of ${valid.length} windows in both views`,
  );
  const { width, height } = pair.image;
  const flip = pair.transform.flip ? ', mirrored' : '';
  return [`image: ${width} x ${height}${flip}`, ...lines, ...kept, ''].join('\n');
}

async function pairs(options: PairsOptions): Promise<void> {
  const place = {
    seed: wholeNumber('--seed', options.seed),
    epoch: wholeNumber('--epoch', options.epoch),
    sample: wholeNumber('--index', options.index),
  };
  const { pairing } = loadRecipe(options.recipe, options.set);
  const pair = makePair(await decodeImage(options.image), pairing, place);
  if (options.png !== undefined) await writeFile(options.png, await drawPair(pair));
  process.stdout.write(options.json ? `${JSON.stringify(describePair(pair))}\n` : summary(pair));
}

/** `resim pairs`: the views and aligned windows of one image, as numbers or as a picture. Needs no server. */
export function pairsCommand(): Command {
  const collect = (value: string, before: string[]) => [...before, value];
  return new Command('pairs')
    .description('show the views of an image and their aligned windows')
    .requiredOption('--image <file>', 'a JPEG, PNG or WebP image')
    .option('--recipe <name>', 'recipe by name, or path of a file', 'resim-fpn')
    .option('--set <key=value>', 'change an option of the recipe (may be repeated)', collect, [])
    .option('--seed <n>', 'seed of the run', '0')
    .option('--epoch <n>', 'epoch', '0')
    .option('--index <n>', 'index of the image in its data set', '0')
    .option('--json', 'print transforms and boxes as JSON')
    .option('--png <file>', 'draw both views and the matching windows')
    .addHelpText('after', '\nExample:\n  $ resim pairs --image photo.jpg --seed 7 --png pairs.png')
    .action(pairs);
}
