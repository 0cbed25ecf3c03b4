import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../libs/experiments/postgres.js';

/**
 * One PostgreSQL for all tests, each file of which makes its own database on it (`freshDatabase`). Set
 * DATABASE_URL_TEST to use a server of your own: its user must be allowed to create databases.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.DATABASE_URL_TEST) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'resim-postgres-'));
  const server = await startEmbeddedPostgres({ directory: join(folder, 'data'), temporary: true });
  process.env.DATABASE_URL_TEST = server.url();
  return async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
}
