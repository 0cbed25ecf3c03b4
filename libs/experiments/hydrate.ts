import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm';

/** Rows of a hand-written statement (`returning *`) as the entity they are rows of. */
export function hydrate<Row extends ObjectLiteral>(
  source: DataSource,
  entity: EntityTarget<Row>,
  raw: Record<string, unknown>[],
): Row[] {
  const { columns } = source.getMetadata(entity);
  return raw.map(
    (row) =>
      Object.fromEntries(
        columns.map(({ propertyName, databaseName }) => [propertyName, row[databaseName]]),
      ) as unknown as Row,
  );
}
