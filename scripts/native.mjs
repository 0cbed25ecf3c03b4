#!/usr/bin/env node
// Builds the native addons with CMake: the tensor engine over libtorch and the image kernels. `npm run build:native`
import { existsSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fingerprint, stampOf, writeStamp } from './setup/fingerprint.mjs';
import { SetupError, step } from './setup/report.mjs';
import { root, run } from './setup/run.mjs';
import { chosenLibtorch, systemLibtorch } from './setup/system.mjs';

const addons = [
  { name: 'resim_image', sources: 'libs/pairing/native', build: 'build/cmake/image', libtorch: false },
  { name: 'resim_tensor', sources: 'libs/tensor/native', build: 'build/cmake/tensor', libtorch: true },
];

/** What else than our sources the binary is made from. */
function surroundings({ libtorch }) {
  const version = (name) =>
    JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version;
  const facts = [
    root,
    process.arch,
    process.env.CXX ?? '',
    version('node-addon-api'),
    version('node-api-headers'),
  ];
  if (libtorch) {
    const folder = chosenLibtorch();
    const library = folder ? join(folder, 'lib', 'libtorch.so') : systemLibtorch();
    if (!library)
      throw new SetupError('there is no libtorch: `npm run setup` installs it or says what to do');
    facts.push(folder ?? '', realpathSync(library), statSync(library).size);
  }
  return facts;
}

/** Builds one addon when its sources or what it is built against have changed. */
async function build(addon, doing) {
  const facts = surroundings(addon);
  const stampFile = `build/native/${addon.name}.stamp`;
  const around = fingerprint([], { facts });
  const stamp = `${around}\n${fingerprint([addon.sources])}\n`;
  const before = stampOf(stampFile);
  if (before === stamp && existsSync(join(root, 'build/native', `${addon.name}.node`))) return 'up to date';

  doing('compiling');
  // CMake remembers where it found libraries; after a change of libtorch or of the folder that memory is wrong.
  if (!before?.startsWith(around)) rmSync(join(root, addon.build), { recursive: true, force: true });
  const configure = ['-S', addon.sources, '-B', addon.build, '-DCMAKE_BUILD_TYPE=Release'];
  if (addon.libtorch) configure.push(`-DRESIM_LIBTORCH=${chosenLibtorch() ?? ''}`);
  await run(`configuring ${addon.name}`, 'cmake', configure);
  await run(`compiling ${addon.name}`, 'cmake', ['--build', addon.build, '--parallel', '2']);
  writeStamp(stampFile, stamp);
  return 'compiled';
}

/** Both addons, one after the other: each compilation uses two cores by itself. */
export async function nativeAddons(log) {
  for (const addon of addons) {
    if (!existsSync(join(root, addon.sources, 'CMakeLists.txt'))) continue;
    await step(`Native addon ${addon.name}`, log, (doing) => build(addon, doing));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  nativeAddons(console.log).catch((error) => {
    console.error(error instanceof SetupError ? error.message : error);
    process.exitCode = 1;
  });
}
