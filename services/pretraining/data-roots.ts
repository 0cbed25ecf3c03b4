import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, relative, sep } from 'node:path';
import { invalid } from '#libs/core';

async function real(path: string): Promise<string | undefined> {
  return realpath(path).catch(() => undefined);
}

function isWithin(path: string, root: string): boolean {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

/**
 * The folder a path names, links followed, when it lies under one of the roots: nobody reads elsewhere on this machine
 * through the service.
 *
 * @throws ResimError `INVALID_ARGUMENT`; what lies outside the roots is not told apart from what does not exist
 */
export async function resolveDataFolder(
  field: string,
  path: string,
  roots: readonly string[],
): Promise<string> {
  if (path.includes('\0') || !isAbsolute(path))
    throw invalid(field, path, 'an absolute folder', 'INVALID_PATH');
  const found = await real(path);
  const reals = (await Promise.all(roots.map(real))).filter((root) => root !== undefined);
  if (found === undefined || !reals.some((root) => isWithin(found, root))) {
    const where = roots.length === 0 ? 'a data root (RESIM_DATA_ROOTS names none)' : roots.join(', ');
    throw invalid(field, path, `an existing folder under ${where}`, 'PATH_OUTSIDE_DATA_ROOTS');
  }
  if (!(await stat(found)).isDirectory()) throw invalid(field, path, 'a folder, not a file', 'NOT_A_FOLDER');
  return found;
}
