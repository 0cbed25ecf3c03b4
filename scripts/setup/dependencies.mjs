import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './report.mjs';
import { root, run } from './run.mjs';

function readJson(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

/**
 * Packages of package-lock.json that node_modules lacks or has in another version, by npm's own record of what it
 * installed. Optional ones (other platforms' binaries) may be absent.
 */
function outdated() {
  const wanted = readJson(join(root, 'package-lock.json')).packages;
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages ?? {};
  return Object.entries(wanted)
    .filter(([path]) => path !== '')
    .filter(([path, { version, optional, peer }]) => {
      const found = installed[path];
      if (found) return found.version !== version || !existsSync(join(root, path, 'package.json'));
      return !optional && !peer;
    })
    .map(([path]) => path);
}

/** Installs the Node packages of package-lock.json when any is missing. */
export async function nodeDependencies(doing) {
  const missing = outdated();
  if (missing.length === 0) return 'up to date';
  const free = statfsSync(root);
  if (free.bavail * free.bsize < 1.5e9) {
    throw new SetupError(
      `there are ${Math.round((free.bavail * free.bsize) / 1e6)} MB left on the disk of ${root}, set-up needs 1500 MB: free some space and start again`,
    );
  }
  doing(`installing ${missing.length} packages with npm`);
  // The machine's own Node does it: ours is one of the packages that are replaced. Errors only: npm would warn that
  // some packages ask for a newer Node, which is the one that it installs.
  const args = ['ci', '--loglevel=error', '--no-audit', '--no-fund', '--no-progress'];
  await run('installing the Node packages', 'npm', args, {
    own: false,
    env: { ONNXRUNTIME_NODE_INSTALL: 'skip', ...process.env },
  });
  return `installed ${missing.length} packages`;
}
