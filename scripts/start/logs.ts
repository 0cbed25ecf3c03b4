import { existsSync, mkdirSync, openSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

/** How many logs of earlier starts are kept: `NAME.1.log` is the newest of them. */
const kept = 3;

/** Opens `NAME.log` for a new start; what was there moves to `NAME.1.log` and so on. */
export function openLog(folder: string, name: string): number {
  mkdirSync(folder, { recursive: true });
  const file = (age: number): string => join(folder, age === 0 ? `${name}.log` : `${name}.${age}.log`);
  for (let age = kept - 1; age >= 0; age--) {
    if (existsSync(file(age))) renameSync(file(age), file(age + 1));
  }
  return openSync(file(0), 'a', 0o600);
}

/** The last lines of a log, for a message about its process. */
export function tailOf(folder: string, name: string, lines = 15): string {
  try {
    return readFileSync(join(folder, `${name}.log`), 'utf8')
      .trimEnd()
      .split('\n')
      .slice(-lines)
      .join('\n');
  } catch {
    return '';
  }
}
