import { afterAll, beforeAll, expect, test } from 'vitest';
import { ResimError } from '#libs/core';
import { entities, migrate, openDatabase } from './index.js';
import { freshDatabase, type TestDatabase } from './testing/index.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.drop());

test('the entities say what the migrations made', async () => {
  const { upQueries } = await database.source.driver.createSchemaBuilder().log();
  expect(upQueries.map(({ query }) => query)).toEqual([]);
});

test('every table and what is not plain about its columns is described', async () => {
  const rows: { name: string; comment: string | null }[] = await database.source.query(
    `select relname as name, obj_description(oid) as comment from pg_class
     where relkind = 'r' and relnamespace = 'public'::regnamespace and relname <> 'schema_migration'`,
  );
  expect(rows.map(({ name }) => name).sort()).toEqual(
    entities.map((entity) => database.source.getMetadata(entity).tableName).sort(),
  );
  expect(rows.filter(({ comment }) => !comment)).toEqual([]);
});

test('migrations are undone and done again, and done once by services that start together', async () => {
  const own = await freshDatabase();
  while ((await own.source.query('select 1 from schema_migration')).length > 0)
    await own.source.undoLastMigration();
  expect(await own.source.query(`select 1 from pg_class where relname = 'run'`)).toEqual([]);
  const sources = await Promise.all([1, 2, 3].map(() => openDatabase({ url: own.url })));
  const done = await Promise.all(sources.map((source) => migrate(source)));
  expect(done.flat()).toEqual(own.source.migrations.map(({ name }) => name));
  await Promise.all(sources.map((source) => source.destroy()));
  await own.drop();
});

test('a database of a newer version is refused', async () => {
  const own = await freshDatabase();
  await own.source.query(
    `insert into schema_migration (timestamp, name) values (9999999999999, 'Future9999999999999')`,
  );
  await expect(migrate(own.source)).rejects.toMatchObject({ reason: 'DATABASE_NEWER' });
  await own.drop();
});

test('an absent database is named without its password', async () => {
  const error: unknown = await openDatabase({ url: 'postgres://u:secret@127.0.0.1:1/x' }).catch(
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(ResimError);
  expect((error as ResimError).message).toBe(
    'no database answers at 127.0.0.1:1/x: the connection was refused',
  );
});

test('no sequential scan claims a run or reads a series', async () => {
  const { source } = database;
  const plan = async (sql: string): Promise<string> => {
    const rows: Record<string, string>[] = await source.transaction(async (manager) => {
      // Empty tables are cheapest to scan; what counts is whether an index can serve the query.
      await manager.query('set local enable_seqscan = off');
      return manager.query(`explain ${sql}`);
    });
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  };
  const id = '00000000-0000-7000-8000-000000000000';
  expect(
    await plan(
      `select step, value from metric where run_id = '${id}' and key_id = 1 and step > 5 order by step`,
    ),
  ).toMatch(/metric_pkey/);
  expect(
    await plan(`select * from run_event where run_id = '${id}' and sequence > 5 order by sequence limit 10`),
  ).toMatch(/run_event_pkey/);
  expect(
    await plan(
      `select id from run where state in ('PENDING', 'RUNNING', 'CANCELLING') and not_before <= now() order by not_before, id limit 1`,
    ),
  ).toMatch(/run_queue/);
});
