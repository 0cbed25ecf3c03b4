import { mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endPrograms, root } from './run.mjs';

const file = join(root, '.resim', 'setup.lock');
/** The holder touches the lock every second; process ids would be reused after a restart of the machine. */
const stale = 10_000;

function take() {
  mkdirSync(dirname(file), { recursive: true });
  try {
    writeFileSync(file, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  }
}

/** Runs `work` while no other set-up of this folder does. */
export async function withLock(log, work) {
  for (let waited = false; !take(); waited = true) {
    const age = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > stale) rmSync(file, { force: true });
    else {
      if (!waited) log('  Another set-up of this folder is under way: waiting for it …');
      await sleep(500);
    }
  }
  const beat = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(file, now, now);
    } catch {
      // Somebody removed the folder: the work itself will say so.
    }
  }, 1000);
  const release = () => rmSync(file, { force: true });
  const interrupted = (signal) => {
    endPrograms();
    release();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    release();
  }
}
