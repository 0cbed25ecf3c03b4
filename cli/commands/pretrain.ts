import { Command } from 'commander';
import { invalid, ResimError } from '#libs/core';
import type { CreateRun } from '#libs/rest';
import { randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { clientOf, type GatewayOptions, isLocal, printJson, withGateway } from '../connection.js';
import { watchUntilEnd } from './watching.js';

interface PretrainCommandOptions extends GatewayOptions {
  images: string;
  recipe: string;
  set?: string[];
  name?: string;
  group?: string;
  requestId?: string;
  detach?: boolean;
  check?: boolean;
}

export function pretrainCommand(): Command {
  const command = new Command('pretrain')
    .description('start a pre-training run and show it until it has ended')
    .requiredOption('--images <folder>', 'folder of images; its subfolders belong to it')
    .requiredOption('--recipe <name>', 'name of a recipe (`resim recipes ls`) or a YAML file')
    .option('--set <key=value>', 'change an option of the recipe; may be given again', collect)
    .option('--name <text>', 'a name for people')
    .option('--group <text>', 'what runs are grouped by')
    .option('--request-id <uuid>', 'the same id never makes a second run')
    .option('--detach', 'start the run and leave it')
    .option('--check', 'only check recipe and images, start nothing')
    .addHelpText(
      'after',
      `
Examples:
  $ resim pretrain --images ~/pictures --recipe resim-fpn
  $ resim pretrain --images ~/pictures --recipe resim-fpn --set optim.lr=0.06 --set seed=7 --name trial
  $ resim pretrain --images ~/pictures --recipe my-recipe.yaml --detach --json

Ctrl-C leaves the run alone; \`resim runs cancel ID\` stops it.`,
    );
  return withGateway(command).action(pretrain);
}

function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}

async function pretrain(options: PretrainCommandOptions): Promise<void> {
  const client = clientOf(options);
  const json = options.json === true;
  const overrides = options.set ?? [];
  const wrong = overrides.find((change) => !/^[^=\s]+=/.test(change));
  if (wrong !== undefined) throw invalid('--set', wrong, 'key=value, for example optim.lr=0.06');
  const body: CreateRun = {
    ...(await recipeOf(options.recipe)),
    overrides,
    images: isLocal(client) ? await imageFolder(options.images) : options.images,
    name: options.name,
    group: options.group,
    requestId: options.requestId ?? randomUUID(),
    validateOnly: options.check === true,
  };
  const run = await client.createRun(body);
  if (options.check || options.detach) {
    if (json) printJson(run);
    else if (options.check) process.stdout.write('recipe and images are right\n');
    else {
      process.stdout.write(`run ${run.id} is queued; watch it with \`resim runs watch ${run.id}\`\n`);
    }
    return;
  }
  await watchUntilEnd(client, run, json);
}

/** A name goes as it is; a file is read here, because the server may stand elsewhere. */
async function recipeOf(recipe: string): Promise<Pick<CreateRun, 'recipe' | 'recipeYaml'>> {
  if (!/\.ya?ml$/i.test(recipe) && !recipe.includes('/')) return { recipe };
  try {
    return { recipeYaml: await readFile(expandHome(recipe), 'utf8') };
  } catch (error) {
    throw new ResimError('INVALID_ARGUMENT', `the recipe ${recipe} cannot be read: ${reasonOf(error)}`, {
      reason: 'RECIPE_UNREADABLE',
      violations: [
        { field: '--recipe', value: recipe, expected: 'the name of a recipe or a readable YAML file' },
      ],
      cause: error,
    });
  }
}

/**
 * The folder as an absolute path.
 *
 * @throws ResimError `INVALID_ARGUMENT` when there is none
 */
export async function imageFolder(folder: string): Promise<string> {
  const path = resolve(expandHome(folder));
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory()) {
    throw invalid(
      '--images',
      folder,
      `a folder of images; ${found ? `${path} is no folder` : `there is no ${path}`}`,
    );
  }
  return path;
}

/** `~` where no shell has replaced it: `--images=~/pictures`. */
function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'reading it is not allowed';
  if (code === 'EISDIR') return 'it is a folder';
  return error instanceof Error ? error.message : String(error);
}
