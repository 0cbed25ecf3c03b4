import 'reflect-metadata';
import { DataSource } from 'typeorm';
import { type Logger, ResimError } from '#libs/core';
import { migrations } from '../../migrations/index.js';
import { entities } from './entities.js';

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/name` */
  url: string;
  /** Shown in `pg_stat_activity`. @default resim */
  application?: string;
  /** Connections at most. @default 10 */
  connections?: number;
}

/** Where a database is, without its password: for messages and logs. */
export function describeDatabase(url: string): string {
  if (!URL.canParse(url)) return 'the address in DATABASE_URL';
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port || 5432}${pathname}`;
}

/**
 * A connected data source; tables are made by `migrate` alone.
 *
 * @throws ResimError `UNAVAILABLE` when no PostgreSQL answers there, `INVALID_ARGUMENT` when the address is none
 */
export async function openDatabase(options: DatabaseOptions): Promise<DataSource> {
  const { url, application = 'resim', connections = 10 } = options;
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
    // The value itself may hold a password, so it is not repeated.
    throw new ResimError(
      'INVALID_ARGUMENT',
      '`DATABASE_URL` must be like postgres://user:password@host:5432/name',
      {
        reason: 'INVALID_CONFIGURATION',
        violations: [{ field: 'DATABASE_URL', expected: 'like postgres://user:password@host:5432/name' }],
      },
    );
  }
  const source = new DataSource({
    type: 'postgres',
    url,
    entities,
    migrations,
    migrationsTableName: 'schema_migration',
    synchronize: false,
    applicationName: application,
    extra: { max: connections, connectionTimeoutMillis: 5_000, statement_timeout: 30_000 },
  });
  try {
    return await source.initialize();
  } catch (error) {
    throw new ResimError('UNAVAILABLE', `no database answers at ${describeDatabase(url)}: ${cause(error)}`, {
      reason: 'DATABASE_UNREACHABLE',
      cause: error,
    });
  }
}

function cause(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return code === 'ECONNREFUSED' ? 'the connection was refused' : (message ?? String(error));
}

/** Any number no other program is likely to lock. */
const MIGRATION_LOCK = 5_218_264;

/**
 * Brings the tables up to date. Services that start at the same time take turns.
 *
 * @returns names of the migrations that were run
 * @throws ResimError `FAILED_PRECONDITION` when a newer version of the suite has changed the tables
 */
export async function migrate(source: DataSource, logger?: Logger): Promise<string[]> {
  const runner = source.createQueryRunner();
  await runner.connect();
  try {
    await runner.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    try {
      await refuseNewer(source);
      const done = await source.runMigrations({ transaction: 'each' });
      for (const { name } of done) logger?.info({ migration: name }, 'the database was migrated');
      return done.map(({ name }) => name);
    } finally {
      await runner.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    }
  } finally {
    await runner.release();
  }
}

async function refuseNewer(source: DataSource): Promise<void> {
  const [{ made }] = (await source.query(`select to_regclass('schema_migration') is not null as made`)) as [
    { made: boolean },
  ];
  if (!made) return;
  const rows = (await source.query('select name from schema_migration order by id')) as { name: string }[];
  const known = new Set(source.migrations.map(({ name }) => name));
  const foreign = rows.map(({ name }) => name).filter((name) => !known.has(name));
  if (foreign.length === 0) return;
  throw new ResimError(
    'FAILED_PRECONDITION',
    `the database was changed by a newer version of the suite (${foreign.join(', ')}); start that version, or use another database`,
    { reason: 'DATABASE_NEWER' },
  );
}
