#!/usr/bin/env node
// Makes an offline bundle: one archive with which a machine without npm and network (an air-gapped cluster, a borrowed
// GPU) trains, replays recorded cases and measures. It holds Node, the compiled JavaScript, the few packages that run
// needs, and the sources of the addons; `install.sh` in it compiles the tensor addon against the libtorch found there.
//
//   npm run bundle [-- FILE]        default: build/resim-offline.tar.xz
//
// There:  tar xf resim-offline.tar.xz && resim-offline/install.sh && resim-offline/resim-node dist/bench/oracle/main.js …
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setUpOrExit } from './setup.mjs';
import { capture, node, root } from './setup/run.mjs';

/** What pre-training, the oracle, the benches and the commands without a server import; the rest serves or builds. */
const packages = [
  '@julusian/jpeg-turbo',
  'commander',
  'node-addon-api',
  'node-api-headers',
  'pino',
  'sharp',
  'yaml',
  'zod',
];

/** A package and everything that it needs, where it is installed (optional ones of other platforms are not). */
function closure(name, found = new Set()) {
  const folder = join(root, 'node_modules', name);
  if (found.has(name) || !existsSync(folder)) return found;
  found.add(name);
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  for (const other of Object.keys({ ...dependencies, ...optionalDependencies })) closure(other, found);
  return found;
}

await setUpOrExit();
const target = resolve(process.argv[2] ?? join(root, 'build', 'resim-offline.tar.xz'));
const staging = join(root, 'build', 'offline');
const bundle = join(staging, 'resim-offline');
rmSync(staging, { recursive: true, force: true });
mkdirSync(bundle, { recursive: true });
const copy = (path) => cpSync(join(root, path), join(bundle, path), { recursive: true, dereference: true });
for (const path of [
  'package.json',
  'nest-cli.json',
  'recipes',
  'dist',
  'libs/tensor/native',
  'libs/pairing/native',
  'test/fixtures',
])
  copy(path);
for (const name of new Set(packages.flatMap((each) => [...closure(each)]))) copy(join('node_modules', name));
mkdirSync(join(bundle, 'build', 'native'), { recursive: true });
// The image addon needs no libtorch: the one built here runs wherever the C library is not older.
copy('build/native/resim_image.node');
mkdirSync(join(bundle, 'bin'));
cpSync(realpathSync(node), join(bundle, 'bin', 'node'));
for (const file of ['install.sh', 'resim-node'])
  cpSync(join(root, 'scripts', 'offline', file), join(bundle, file));

const { status, output } = await capture('tar', ['-C', staging, '-cJf', target, 'resim-offline'], {
  env: { XZ_OPT: '-6 -T0' },
});
rmSync(staging, { recursive: true, force: true });
if (status !== 0) {
  console.error(`tar failed: ${output.trim()}`);
  process.exit(1);
}
console.log(`${target}: ${(statSync(target).size / 2 ** 20).toFixed(1)} MiB`);
