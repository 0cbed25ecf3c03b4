import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ResimError } from '#libs/core';
import { tailOf } from './logs.js';
import { Service } from './service.js';

let folder: string;
let service: Service | undefined;
let said: string[];
let gaveUp: ResimError | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'resim-service-'));
  said = [];
  gaveUp = undefined;
});
afterEach(async () => {
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A service of the given code; `ready()` in it says that it does its work. */
function serviceOf(code: string): Service {
  const script = join(folder, 'service.mjs');
  writeFileSync(script, `const ready = () => process.send('ready');\n${code}`);
  const readyChildren = new Set<unknown>();
  service = new Service({
    name: 'worker',
    script,
    env: process.env,
    logs: folder,
    ready: (child) => {
      if (child.listenerCount('message') === 0) child.on('message', () => readyChildren.add(child));
      return Promise.resolve(readyChildren.has(child));
    },
    say: (line) => said.push(line),
    giveUp: (error) => (gaveUp = error),
  });
  return service;
}

const stay = "process.on('SIGTERM', () => process.exit(0)); setInterval(() => undefined, 1000); ready();";

it('starts a service again that was killed, and says so', async () => {
  const worker = serviceOf(stay);
  await worker.start();
  const first = worker.pid;
  process.kill(first!, 'SIGKILL');
  while (!said.includes('worker runs again')) await sleep(10);
  expect(worker.pid).not.toBe(first);
  expect(said[0]).toBe('worker ended (SIGKILL); it is started again');
});

it('does not start a service again that it stopped', async () => {
  const worker = serviceOf(stay);
  await worker.start();
  await worker.stop();
  await sleep(500);
  expect(said).toEqual([]);
});

it('tells the end of the log of a service that ends while it starts', async () => {
  const worker = serviceOf("console.error('the port is taken'); process.exit(3);");
  await expect(worker.start()).rejects.toThrow(
    /worker ended while it started \(status 3\).*\n.*the port is taken/,
  );
});

it('gives up a service that cannot be started again', async () => {
  const flag = JSON.stringify(join(folder, 'broken'));
  const worker = serviceOf(
    `import { existsSync } from 'node:fs'; if (existsSync(${flag})) { console.error('no disk'); process.exit(1); } ${stay}`,
  );
  await worker.start();
  writeFileSync(join(folder, 'broken'), '');
  process.kill(worker.pid!, 'SIGKILL');
  while (!gaveUp) await sleep(10);
  expect(gaveUp.message).toMatch(/no disk/);
});

it('keeps the logs of earlier starts', async () => {
  for (const text of ['first', 'second']) {
    const worker = serviceOf(`console.log('${text}'); ${stay}`);
    await worker.start();
    await worker.stop();
  }
  expect(tailOf(folder, 'worker')).toBe('second');
  expect(tailOf(folder, 'worker.1')).toBe('first');
});
