import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { projectPath } from '#libs/core';

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A built service as a process of its own; its log is kept for the message of a failure. */
export class ServiceProcess {
  #child: ChildProcess | undefined;
  #log = '';

  constructor(
    private readonly name: string,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  start(): void {
    const child = spawn(process.execPath, [projectPath('dist', 'services', this.name, 'main.js')], {
      env: { ...process.env, ...this.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
    }
    this.#child = child;
  }

  /** Sends a signal and waits for the end: the exit code, or the name of the signal that ended it. */
  async end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null> {
    const child = this.#child;
    if (!child) return null;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await ended;
    }
    return child.exitCode ?? child.signalCode;
  }

  get alive(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it has written so far. */
  get log(): string {
    return `${this.name}:\n${this.#log}`;
  }
}

/** Waits until `url` answers with status 200, which needs all the services. */
export async function ready(url: string, services: ServiceProcess[]): Promise<void> {
  const until = performance.now() + 60_000;
  while (performance.now() < until && services.every(({ alive }) => alive)) {
    const response = await fetch(url).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    await sleep(100);
  }
  throw new Error(`${url} is not ready\n${services.map(({ log }) => log).join('\n')}`);
}
