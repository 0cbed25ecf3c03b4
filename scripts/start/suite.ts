import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { projectPath, projectRoot, type ResimError } from '#libs/core';
import { holdAlone } from './only-one.js';
import type { StartOptions } from './options.js';
import { freePort, requirePort } from './ports.js';
import type { KeeperReady } from './postgres-keeper.js';
import { Service } from './service.js';

export interface Suite {
  /** Of the gateway. */
  url: string;
  databaseUrl: string;
  /** File that holds the database's URL, for `psql "$(cat FILE)"`; undefined with DATABASE_URL. */
  databaseUrlFile: string | undefined;
  processes: { name: string; pid: number | undefined }[];
  /** Ends every process, the last started first. */
  stop(): Promise<void>;
}

export interface SuiteEvents {
  say: (line: string) => void;
  /** A process cannot be kept running. */
  giveUp: (error: ResimError) => void;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
}

/**
 * Starts PostgreSQL (unless DATABASE_URL names one), the pre-training service and the gateway, each in a process of its
 * own, and resolves when they do their work.
 *
 * @param signal stops a start under way
 * @throws ResimError FAILED_PRECONDITION: a port in use, a start on the same folder, a service that does not come up
 */
export class SuiteStarter implements Suite {
  url = '';
  databaseUrl = '';
  databaseUrlFile: string | undefined;
  readonly #services: Service[] = [];

  constructor(
    private readonly options: StartOptions,
    private readonly events: SuiteEvents,
  ) {}

  get processes(): { name: string; pid: number | undefined }[] {
    return this.#services.map(({ name, pid }) => ({ name, pid }));
  }

  async start(signal: AbortSignal): Promise<Suite> {
    const { state, port, host } = this.options;
    mkdirSync(state, { recursive: true });
    this.url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
    await holdAlone(state, `process ${process.pid}, ${this.url}`);
    await requirePort(port, host);

    await this.#startDatabase(signal);
    const address = `127.0.0.1:${await freePort(50051)}`;
    await this.#startService(signal, 'pretraining', () => answers(Number(address.split(':')[1])), {
      DATABASE_URL: this.databaseUrl,
      RESIM_PRETRAINING_ADDRESS: address,
      RESIM_RUNS_DIR: process.env.RESIM_RUNS_DIR ?? join(state, 'runs'),
      RESIM_DATA_ROOTS: this.#dataRoots(),
    });
    const ready = async (): Promise<boolean> => {
      const response = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(5000) }).catch(
        () => undefined,
      );
      await response?.body?.cancel();
      return response?.ok === true;
    };
    await this.#startService(signal, 'gateway', ready, {
      RESIM_GATEWAY_HOST: host,
      RESIM_GATEWAY_PORT: String(port),
      RESIM_PRETRAINING_ADDRESS: address,
    });
    return this;
  }

  async stop(): Promise<void> {
    for (const service of [...this.#services].reverse()) await service.stop();
  }

  /** Ends every process without asking; the database recovers when it is started the next time. */
  kill(): void {
    for (const service of this.#services) service.kill();
  }

  async #startDatabase(signal: AbortSignal): Promise<void> {
    if (process.env.DATABASE_URL) {
      this.databaseUrl = process.env.DATABASE_URL;
      return;
    }
    const { state } = this.options;
    const wanted = join(state, 'postgres');
    const port = await freePort(55432);
    let told: KeeperReady | undefined;
    const keeper = await this.#startService(
      signal,
      'postgres',
      (child) => {
        if (child.listenerCount('message') === 0)
          child.on('message', (message) => (told = message as KeeperReady));
        return Promise.resolve(told !== undefined);
      },
      {
        RESIM_POSTGRES_DIR: wanted,
        RESIM_POSTGRES_PORT: String(port),
      },
      'scripts/start/postgres-keeper.js',
    );
    if (!keeper || !told) return;
    this.databaseUrl = told.url;
    this.databaseUrlFile = join(state, 'database-url');
    writeFileSync(this.databaseUrlFile, `${told.url}\n`, { mode: 0o600 });
    if (told.leftover)
      this.events.say('PostgreSQL was still running from a start that was killed; it was stopped first');
    if (told.directory !== wanted) {
      this.events.say(`PostgreSQL keeps its data in ${told.directory}: its user cannot enter ${state}`);
    }
  }

  async #startService(
    signal: AbortSignal,
    name: string,
    ready: ConstructorParameters<typeof Service>[0]['ready'],
    env: NodeJS.ProcessEnv,
    script = `services/${name}/main.js`,
  ): Promise<Service | undefined> {
    if (signal.aborted) return undefined;
    const service = new Service({
      name,
      script: projectPath('dist', script),
      env: { ...process.env, ...env },
      logs: join(this.options.state, 'logs'),
      ready,
      ...this.events,
    });
    this.#services.push(service);
    await service.start();
    return service;
  }

  #dataRoots(): string {
    const own = [projectRoot, this.options.state, homedir(), this.options.images];
    const given = process.env.RESIM_DATA_ROOTS?.split(delimiter) ?? [];
    return [...new Set([...given, ...own])].filter(Boolean).join(delimiter);
  }
}
