import { spawnSync } from 'node:child_process';
import { ResimError } from '#libs/core';

/** User that the server runs as: `{}` is this process's own. */
export interface Account {
  uid?: number;
  gid?: number;
}

function idOf(kind: '-u' | '-g'): number | undefined {
  const { status, stdout } = spawnSync('id', [kind, 'postgres'], { encoding: 'utf8' });
  return status === 0 ? Number(stdout) : undefined;
}

/**
 * PostgreSQL refuses to run as root; then it runs as the user `postgres`, which is made when there is none.
 * @throws ResimError FAILED_PRECONDITION when that user cannot be made
 */
export function serverAccount(): Account {
  if (process.getuid?.() !== 0) return {};
  if (idOf('-u') === undefined) {
    spawnSync('groupadd', ['--system', 'postgres']);
    spawnSync('useradd', [
      '--system',
      '--gid',
      'postgres',
      '--no-create-home',
      '--shell',
      '/usr/sbin/nologin',
      'postgres',
    ]);
  }
  const [uid, gid] = [idOf('-u'), idOf('-g')];
  if (uid === undefined || gid === undefined) {
    throw new ResimError(
      'FAILED_PRECONDITION',
      'PostgreSQL does not run as root, and the user `postgres` could not be made: make it, start as another user, or set DATABASE_URL',
      { reason: 'POSTGRES_USER_MISSING' },
    );
  }
  return { uid, gid };
}

/** Whether that user may enter the folder (which exists): not so for a project somewhere under /root. */
export function canEnter(folder: string, account: Account): boolean {
  return (
    account.uid === undefined ||
    spawnSync('/bin/sh', ['-c', 'cd "$0"', folder], { ...account, cwd: '/' }).status === 0
  );
}
