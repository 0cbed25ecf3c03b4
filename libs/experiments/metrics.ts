import type { DataSource, EntityManager } from 'typeorm';

/** Values of the series of a run after one step. */
export interface StepMetrics {
  step: number;
  /** When the step was done, in milliseconds since 1970. */
  time: number;
  values: Record<string, number>;
}

export interface MetricSeries {
  key: string;
  points: { step: number; value: number; time: Date }[];
}

/** Ids of series names; names are never renamed or deleted, so what was read once stays true. */
export class MetricKeys {
  readonly #ids = new Map<string, number>();

  async resolve(manager: EntityManager, names: Iterable<string>): Promise<ReadonlyMap<string, number>> {
    const unknown = [...new Set(names)].filter((name) => !this.#ids.has(name)).sort();
    if (unknown.length > 0) {
      await manager.query(`insert into metric_key (name) select unnest($1::text[]) on conflict do nothing`, [
        unknown,
      ]);
      const rows = await manager.query<{ id: number; name: string }[]>(
        `select id, name from metric_key where name = any($1::text[])`,
        [unknown],
      );
      for (const { id, name } of rows) this.#ids.set(name, id);
    }
    return this.#ids;
  }
}

/**
 * Appends points to the series of a run in two statements, however many there are.
 *
 * A point that is there already stays as it is. That is right for steps done again after a resume: their losses are
 * equal bit for bit, and what is measured by the clock (images a second) is as true of the first time as of the second.
 *
 * @returns the steps of which at least one point was new
 */
export async function appendMetrics(
  manager: EntityManager,
  keys: MetricKeys,
  runId: string,
  steps: StepMetrics[],
): Promise<Set<number>> {
  const ids = await keys.resolve(
    manager,
    steps.flatMap(({ values }) => Object.keys(values)),
  );
  const columns = { key: [] as number[], step: [] as number[], value: [] as number[], time: [] as Date[] };
  for (const { step, time, values } of steps) {
    for (const [name, value] of Object.entries(values)) {
      columns.key.push(ids.get(name)!);
      columns.step.push(step);
      columns.value.push(value);
      columns.time.push(new Date(time));
    }
  }
  if (columns.key.length === 0) return new Set();
  // One array a column: a parameter for each value would end at 65,535 of them.
  const inserted = await manager.query<{ step: string }[]>(
    `with point as (
       insert into metric (run_id, key_id, step, value, time)
       select $1, * from unnest($2::int[], $3::bigint[], $4::float8[], $5::timestamptz[])
       on conflict do nothing
       returning key_id, step, value
     ), latest as (
       insert into latest_metric (run_id, key_id, step, value)
       select distinct on (key_id) $1::uuid, key_id, step, value from point order by key_id, step desc
       on conflict (run_id, key_id) do update set step = excluded.step, value = excluded.value
         where latest_metric.step < excluded.step
     )
     select distinct step from point`,
    [runId, columns.key, columns.step, columns.value, columns.time],
  );
  return new Set(inserted.map(({ step }) => Number(step)));
}

/**
 * Series of a run in order of steps.
 *
 * @param key name of one series; all when undefined
 */
export async function readMetrics(
  source: DataSource,
  runId: string,
  options: { key?: string; afterStep?: number } = {},
): Promise<MetricSeries[]> {
  const { key, afterStep = 0 } = options;
  const rows = await source.query<{ name: string; step: string; value: number; time: Date }[]>(
    `select name, metric.step, metric.value, metric.time
     from latest_metric
     join metric_key on metric_key.id = latest_metric.key_id
     join metric on metric.run_id = latest_metric.run_id and metric.key_id = latest_metric.key_id
     where latest_metric.run_id = $1 and ($2::text is null or name = $2) and metric.step > $3
     order by name, metric.step`,
    [runId, key ?? null, afterStep],
  );
  const series: MetricSeries[] = [];
  for (const { name, step, value, time } of rows) {
    if (series.at(-1)?.key !== name) series.push({ key: name, points: [] });
    series.at(-1)!.points.push({ step: Number(step), value, time });
  }
  return series;
}
