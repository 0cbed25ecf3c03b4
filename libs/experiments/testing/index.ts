import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { migrate, openDatabase } from '../database.js';

export { type EmbeddedPostgres, freePort, startEmbeddedPostgres } from '../postgres.js';

/** Set by `test/postgres.setup.ts` for every test process. */
export const TEST_POSTGRES = 'DATABASE_URL_TEST';

export interface TestDatabase {
  url: string;
  source: DataSource;
  /** Closes `source` and drops the database, whoever is still connected. */
  drop(): Promise<void>;
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement);
  await client.end();
}

/**
 * A fresh, migrated database on the server that the tests share.
 *
 * @param server address of another server to make it on
 */
export async function freshDatabase(server = process.env[TEST_POSTGRES]): Promise<TestDatabase> {
  if (!server) throw new Error(`${TEST_POSTGRES} is not set: is test/postgres.setup.ts in vitest.config.ts?`);
  const name = `resim_${randomBytes(6).toString('hex')}`;
  await administer(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const source = await openDatabase({ url: url.href, application: 'resim-test' });
  await migrate(source);
  return {
    url: url.href,
    source,
    async drop() {
      await source.destroy();
      await administer(server, `drop database ${name} with (force)`);
    },
  };
}
