import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SetupError } from './report.mjs';
import { capture, run } from './run.mjs';

const triple =
  { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch] ?? `${process.arch}-linux-gnu`;
const libraryFolders = ['/usr/local/lib', `/usr/lib/${triple}`, '/usr/lib64', '/usr/lib'];

/**
 * The folder that RESIM_LIBTORCH names, checked; `undefined` when it is not set.
 * It is a libtorch folder or the `torch/` folder of an installed PyTorch.
 */
export function chosenLibtorch() {
  const given = process.env.RESIM_LIBTORCH;
  if (!given) return undefined;
  const folder = resolve(given);
  const missing = ['lib/libtorch.so', 'lib/libc10.so', 'include/ATen/ATen.h'].filter(
    (file) => !existsSync(join(folder, file)),
  );
  if (missing.length === 0) return folder;
  const inside = ['torch', 'libtorch']
    .map((name) => join(folder, name))
    .find((path) => existsSync(join(path, 'lib/libtorch.so')));
  const hint = inside
    ? `Set RESIM_LIBTORCH=${inside}`
    : 'Name a libtorch folder, or the torch/ folder of an installed PyTorch (the one with include/ and lib/ in it)';
  throw new SetupError(`RESIM_LIBTORCH is ${given}, which has no ${missing.join(', no ')}. ${hint}.`);
}

/** The system's libtorch.so, if it is there with its headers. */
export function systemLibtorch() {
  const headers = ['/usr/include', '/usr/local/include'].some((folder) =>
    existsSync(join(folder, 'ATen/ATen.h')),
  );
  const library = libraryFolders
    .map((folder) => join(folder, 'libtorch.so'))
    .find((file) => existsSync(file));
  return headers ? library : undefined;
}

/** Whether libtorch of the system would multiply matrices with the reference BLAS, 60 times slower than OpenBLAS. */
function referenceBlas() {
  const blas = libraryFolders.map((folder) => join(folder, 'libblas.so.3')).find((file) => existsSync(file));
  return blas === undefined || /\/blas\/libblas/.test(realpathSync(blas));
}

async function has(program) {
  return (await capture(program, ['--version'], { own: false })).status === 0;
}

/** Debian packages that are needed and missing. */
async function missingPackages() {
  const libtorch = chosenLibtorch();
  const packages = [];
  if (!libtorch && !systemLibtorch()) packages.push('libtorch-dev');
  // Other builds of libtorch bring their own.
  if (!libtorch && referenceBlas()) packages.push('libopenblas0-pthread');
  if (!(await has('cmake'))) packages.push('cmake');
  if (!(await has('make'))) packages.push('make');
  if (!(await has(process.env.CXX ?? 'c++'))) packages.push('g++');
  return packages;
}

/** How apt-get can be called without asking anybody: `[]`, `['sudo', '-n']`, or not at all. */
async function aptPrefix() {
  if (!existsSync('/usr/bin/apt-get')) return undefined;
  if (process.getuid?.() === 0) return [];
  return (await capture('sudo', ['-n', 'true'])).status === 0 ? ['sudo', '-n'] : undefined;
}

function distribution() {
  const file = '/etc/os-release';
  const name = existsSync(file) && /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync(file, 'utf8'))?.[1];
  return name || process.platform;
}

function whatToDo(packages) {
  const lines = [`missing: ${packages.join(', ')}.`];
  if (existsSync('/usr/bin/apt-get')) {
    lines.push(
      `Run: sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages.join(' ')}`,
    );
  } else {
    lines.push(
      `On ${distribution()} install a C++ compiler, make and CMake 3.18 or newer with your package manager.`,
    );
  }
  if (packages.includes('libtorch-dev')) {
    lines.push(
      'Or take another libtorch: set RESIM_LIBTORCH to an unpacked libtorch folder or to the torch/ folder of an',
      'installed PyTorch, CPU or CUDA (docs/install.md), and start again.',
    );
  }
  return lines.join('\n');
}

async function install(packages, prefix) {
  const apt = (args) => {
    const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
    return [command, rest];
  };
  try {
    await run('reading the package lists', ...apt(['update', '-q']), { own: false });
    await run(
      'installing system packages',
      ...apt(['install', '-y', '-q', '--no-install-recommends', ...packages]),
      { own: false },
    );
  } catch (error) {
    throw new SetupError(`${error.message}\n${whatToDo(packages)}`);
  }
}

/** libtorch, a BLAS worth the name, a compiler, make and CMake: found, or installed where that is allowed. */
export async function systemPackages(doing, log) {
  let packages = await missingPackages();
  let found = 'found';
  if (packages.length > 0) {
    const prefix = await aptPrefix();
    if (prefix) {
      doing(`installing ${packages.join(', ')} with apt-get`);
      await install(packages, prefix);
      found = `installed ${packages.join(', ')}`;
      packages = await missingPackages();
    }
    // Without a good BLAS everything works, only slowly.
    const slow = packages.indexOf('libopenblas0-pthread');
    if (slow >= 0) {
      packages.splice(slow, 1);
      log(
        '  Warning: libtorch would use the reference BLAS, which is about 60 times slower. Install libopenblas0-pthread\n' +
          `  or, when it is there, run: sudo update-alternatives --auto libblas.so.3-${triple}`,
      );
    }
    if (packages.length > 0) throw new SetupError(whatToDo(packages));
  }
  return `${found}; libtorch is ${chosenLibtorch() ?? systemLibtorch()}`;
}
