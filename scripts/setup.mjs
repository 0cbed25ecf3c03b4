#!/usr/bin/env node
// Everything that has to be there before anything runs: Node packages, libtorch and a compiler, the native addons, the
// generated contracts, the compiled TypeScript. Needs Node 20 or newer and nothing else; does only what is missing.
import { accessSync, constants, existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { nativeAddons } from './native.mjs';
import { nodeDependencies } from './setup/dependencies.mjs';
import { filesUnder, fingerprint, stampOf, writeStamp } from './setup/fingerprint.mjs';
import { withLock } from './setup/lock.mjs';
import { seconds, SetupError, step } from './setup/report.mjs';
import { node, root, run } from './setup/run.mjs';
import { systemPackages } from './setup/system.mjs';

async function contracts(doing) {
  const stampFile = '.resim/stamps/contracts';
  const current = () =>
    fingerprint(['proto', 'buf.yaml', 'buf.gen.yaml', 'scripts/gen.mjs', 'libs/rpc/generated']);
  if (stampOf(stampFile) === current()) return 'up to date';
  doing('generating from proto/');
  await run('generating the contracts', node, ['scripts/gen.mjs']);
  writeStamp(stampFile, current());
  return 'generated';
}

const compiledFolders = ['libs', 'services', 'cli', 'bench', 'migrations', 'scripts'];
const isSource = (name) => name.endsWith('.ts') && !name.endsWith('.test.ts');

/** Makes dist/ fit the sources: nothing of files that are gone, and no memory of outputs that somebody deleted. */
function tidyOutput() {
  const outputs = new Set();
  for (const folder of compiledFolders) {
    for (const file of filesUnder(join(root, folder), isSource)) {
      outputs.add(join('dist', relative(root, file)).replace(/\.ts$/, '.js'));
    }
  }
  for (const file of filesUnder(join(root, 'dist'), (name) => /\.js(\.map)?$/.test(name))) {
    if (!outputs.has(relative(root, file).replace(/\.map$/, ''))) rmSync(file);
  }
  const complete = [...outputs].every((file) => existsSync(join(root, file)));
  // The compiler writes only what changed since its record says it last wrote.
  if (!complete) rmSync(join(root, 'dist/.tsbuildinfo'), { force: true });
  return complete;
}

async function typescript(doing) {
  const stampFile = 'dist/.stamp';
  const sources = [
    ...compiledFolders,
    'package-lock.json',
    'nest-cli.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ];
  const stamp = fingerprint(sources, { wanted: isSource });
  if (tidyOutput() && stampOf(stampFile) === stamp) return 'up to date';
  doing('compiling');
  await run('compiling TypeScript', node, [join(root, 'node_modules/@nestjs/cli/bin/nest.js'), 'build']);
  writeStamp(stampFile, stamp);
  return 'compiled';
}

/** Waits for all, also when one fails, so that no compiler goes on behind a message that says it is over. */
async function all(promises) {
  const results = await Promise.allSettled(promises);
  const failed = results.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
}

function checkFolders() {
  for (const [folder, advice] of [
    [root, 'Set-up writes into it: give yourself the right to.'],
    [tmpdir(), 'Set TMPDIR to a folder that you may write to.'],
  ]) {
    try {
      accessSync(folder, constants.W_OK);
    } catch {
      throw new SetupError(`the folder ${folder} cannot be written to. ${advice}`);
    }
  }
}

/**
 * Brings the project's folder to where everything runs.
 * @param log receives one line a step
 * @throws SetupError with what the user can do
 */
export async function setUp(log = console.log) {
  const since = performance.now();
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new SetupError(
      `this is Node ${process.versions.node}; set-up needs 20.19 or newer (it brings the Node that the suite runs on)`,
    );
  }
  checkFolders();
  log('Set-up');
  await withLock(log, async () => {
    // Both wait for the network most of the time.
    await all([
      step('Node packages', log, nodeDependencies),
      step('System packages', log, (doing) => systemPackages(doing, log)),
    ]);
    const codeFirst = async () => {
      if (existsSync(join(root, 'scripts/gen.mjs'))) await step('Contracts', log, contracts);
      await step('TypeScript', log, typescript);
    };
    await all([nativeAddons(log), codeFirst()]);
  });
  log(`Set-up done in ${seconds(since)}`);
}

/** `setUp`, and a failure is printed as a sentence and ends the process with status 1. */
export async function setUpOrExit(log) {
  try {
    await setUp(log);
  } catch (error) {
    console.error(error instanceof SetupError ? `Set-up stopped: ${error.message}` : error);
    process.exit(1);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await setUpOrExit(console.log);
