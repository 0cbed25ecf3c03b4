import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { userInfo } from 'node:os';
import { startCluster } from '#libs/postgres';

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

/** The suite's own PostgreSQL (libs/postgres) for as long as a test or a tool needs it. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { directory, temporary = false } = options;
  const port = options.port ?? (await freePort());
  const password = 'resim';
  await mkdir(dirname(directory), { recursive: true });
  // As root the server runs as another user, who must be able to enter the folder.
  if (userInfo().uid === 0) await chmod(dirname(directory), 0o755);
  let cluster = await startCluster({ directory, port, password });
  return {
    url: (database = 'postgres') => `postgres://resim:${password}@127.0.0.1:${port}/${database}`,
    async start() {
      cluster = await startCluster({ directory, port, password });
    },
    crash: () => cluster.crash(),
    async stop() {
      await cluster.stop();
      if (temporary) await rm(cluster.directory, { recursive: true, force: true });
    },
  };
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
