import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ResimError } from '#libs/core';

/** What a data folder's `postmaster.pid` says; `undefined` when there is none. */
function pidFile(data: string): { pid: number; status: string } | undefined {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    return { pid: Number(lines[0]), status: (lines[7] ?? '').trim() };
  } catch {
    return undefined;
  }
}

/** Whether the server of this data folder says of itself that it takes connections. */
export function isReady(data: string, pid: number | undefined): boolean {
  const file = pidFile(data);
  return file?.pid === pid && file?.status === 'ready';
}

/** Whether a process lives and is the server of this data folder, not one that got its number later. */
function isServer(pid: number, data: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(data);
  } catch {
    // No /proc, or gone in this moment: there the number is all there is.
    return process.platform !== 'linux';
  }
}

/**
 * Stops a server that was left on the data folder when everything around it was killed. Fast shutdown first, then
 * immediate, which the next start recovers from; never SIGKILL, which would leave shared memory behind.
 * @throws ResimError FAILED_PRECONDITION when it does not end
 */
export async function stopLeftover(data: string): Promise<boolean> {
  const file = pidFile(data);
  if (!file) return false;
  if (!isServer(file.pid, data)) {
    // The machine was restarted: the number may belong to anything, and the server would refuse to start over it.
    rmSync(join(data, 'postmaster.pid'), { force: true });
    return false;
  }
  for (const [signal, patience] of [
    ['SIGINT', 15_000],
    ['SIGQUIT', 10_000],
  ] as const) {
    process.kill(file.pid, signal);
    for (let waited = 0; waited < patience; waited += 50) {
      if (!isServer(file.pid, data)) return true;
      await sleep(50);
    }
  }
  throw new ResimError(
    'FAILED_PRECONDITION',
    `a PostgreSQL server (process ${file.pid}) holds ${data} and does not end: stop it by hand`,
    { reason: 'POSTGRES_LEFTOVER' },
  );
}
