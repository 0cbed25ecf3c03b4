import { existsSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { invalid, projectPath } from '#libs/core';

export interface StartOptions {
  /** Folder of the user's images, absolute; undefined for the sample images. */
  images: string | undefined;
  recipe: string;
  /** Changes to the recipe, `key=value`. */
  set: string[];
  port: number;
  host: string;
  /** End when the run is done. */
  exit: boolean;
  /** Make a run at all. */
  run: boolean;
  json: boolean;
  /** Where everything that is made at run time lies. */
  state: string;
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65535) {
    throw new InvalidArgumentError('It must be a whole number from 1 to 65535.');
  }
  return value;
}

/** @throws ResimError INVALID_ARGUMENT for a folder of images that is none */
function imageFolder(given: string): string {
  const folder = resolve(given === '~' || given.startsWith('~/') ? join(homedir(), given.slice(1)) : given);
  if (!existsSync(folder)) throw invalid('--images', given, 'a folder that exists');
  if (!statSync(folder).isDirectory()) throw invalid('--images', given, 'a folder, not a file');
  return realpathSync(folder);
}

export function startCommand(): Command {
  return new Command('npm start --')
    .description(
      'Starts ReSim Suite: PostgreSQL, the services and a pre-training run that is shown live; then serves until Ctrl-C.',
    )
    .option('--images <dir>', 'pre-train on your images instead of the sample images')
    .option('--recipe <name>', 'recipe of the run', 'resim-demo')
    .option('--set <key=value...>', 'change the recipe, for example --set optim.lr=0.06')
    .option('--port <number>', 'port of the page and of REST', port)
    .option('--exit', 'end when the run is done; status 0 when it succeeded', false)
    .option('--no-run', 'only serve')
    .option('--json', 'print one JSON document with the result on stdout, everything else on stderr', false)
    .addHelpText(
      'after',
      `
Examples:
  $ npm start
  $ npm start -- --images ~/pictures --recipe resim-fpn
  $ npm start -- --exit --json

Environment: DATABASE_URL (a PostgreSQL of yours), RESIM_STATE_DIR (default .resim), RESIM_LIBTORCH; docs/install.md has all.`,
    );
}

/** @throws ResimError INVALID_ARGUMENT */
export function startOptions(argv: string[], env: NodeJS.ProcessEnv): StartOptions {
  const given = startCommand().parse(argv, { from: 'user' }).opts<{
    images?: string;
    recipe: string;
    set?: string[];
    port?: number;
    exit: boolean;
    run: boolean;
    json: boolean;
  }>();
  const fromEnv = env.RESIM_GATEWAY_PORT;
  if (fromEnv && !/^\d+$/.test(fromEnv)) throw invalid('RESIM_GATEWAY_PORT', fromEnv, 'a port number');
  return {
    images: given.images === undefined ? undefined : imageFolder(given.images),
    recipe: given.recipe,
    set: given.set ?? [],
    port: given.port ?? Number(fromEnv || 8080),
    host: env.RESIM_GATEWAY_HOST || '127.0.0.1',
    exit: given.exit,
    run: given.run,
    json: given.json,
    state: resolve(env.RESIM_STATE_DIR || projectPath('.resim')),
  };
}
