import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { projectPath } from './project.js';

const parentModule = JSON.stringify(projectPath('dist/libs/core/parent.js'));
const child = `
  import { exitWithParent } from ${parentModule};
  exitWithParent();
  process.on('SIGTERM', () => process.exit(0));
  setInterval(() => undefined, 1000);
  process.stdout.write(process.pid + '\\n');
`;
/** Starts the child in a session of its own, as the launcher does, and lives until it is killed. */
const parent = `
  import { spawn } from 'node:child_process';
  spawn(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(child)}],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true });
  setInterval(() => undefined, 1000);
`;

function lives(pid: number): boolean {
  const status = `/proc/${pid}/status`;
  return existsSync(status) && !/^State:\s+Z/m.test(readFileSync(status, 'utf8'));
}

function firstLine(of: ChildProcess): Promise<string> {
  return new Promise((resolve) => of.stdout!.once('data', (chunk: Buffer) => resolve(chunk.toString())));
}

it('a process ends when the one that started it is killed with kill -9', async () => {
  const launcher = spawn(process.execPath, ['--input-type=module', '-e', parent], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = Number(await firstLine(launcher));
  expect(lives(pid)).toBe(true);
  launcher.kill('SIGKILL');
  while (lives(pid)) await sleep(20);
});
