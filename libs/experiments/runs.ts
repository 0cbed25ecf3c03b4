import { type DataSource, In, LessThan } from 'typeorm';
import { isUuid, ResimError } from '#libs/core';
import { CheckpointRow, RunRow, type RunState } from './entities.js';

export interface RunFilter {
  kind: string;
  group?: string;
  state?: RunState;
}

/** A run with what is known of it from other tables. */
export interface RunDetails {
  run: RunRow;
  /** Latest value of each series. */
  metrics: Record<string, number>;
  /** The newest checkpoint whose files are there. */
  checkpoint?: CheckpointRow;
}

function missing(id: string): ResimError {
  return new ResimError('NOT_FOUND', `there is no run ${id}`, { reason: 'RUN_NOT_FOUND', metadata: { id } });
}

/** @throws ResimError `NOT_FOUND` */
export async function getRun(source: DataSource, kind: string, id: string): Promise<RunRow> {
  const run = isUuid(id) ? await source.getRepository(RunRow).findOneBy({ id, kind }) : null;
  if (run === null) throw missing(id);
  return run;
}

/**
 * Newest first.
 *
 * @param before only runs older than the one with this id
 */
export function listRuns(
  source: DataSource,
  filter: RunFilter,
  limit: number,
  before?: string,
): Promise<RunRow[]> {
  const { kind, group, state } = filter;
  return source.getRepository(RunRow).find({
    where: {
      kind,
      ...(group === undefined ? {} : { groupName: group }),
      ...(state === undefined ? {} : { state }),
      ...(before === undefined ? {} : { id: LessThan(before) }),
    },
    order: { id: 'DESC' },
    take: limit,
  });
}

/** The latest metrics and the newest checkpoint of each run, in the order of `runs`: two queries, however many runs. */
export async function describeRuns(source: DataSource, runs: RunRow[]): Promise<RunDetails[]> {
  if (runs.length === 0) return [];
  const ids = runs.map(({ id }) => id);
  const [latest, checkpoints] = await Promise.all([
    source.query<{ run_id: string; name: string; value: number }[]>(
      `select run_id, name, value from latest_metric join metric_key on metric_key.id = key_id
       where run_id = any($1::uuid[]) order by name`,
      [ids],
    ),
    source
      .getRepository(CheckpointRow)
      .createQueryBuilder('checkpoint')
      .distinctOn(['checkpoint.runId'])
      .where({ runId: In(ids), state: 'AVAILABLE' })
      .orderBy('checkpoint.runId')
      .addOrderBy('checkpoint.step', 'DESC')
      .getMany(),
  ]);
  const metrics = new Map<string, Record<string, number>>();
  for (const { run_id: id, name, value } of latest) {
    metrics.set(id, Object.assign(metrics.get(id) ?? {}, { [name]: value }));
  }
  const newest = new Map(checkpoints.map((checkpoint) => [checkpoint.runId, checkpoint]));
  return runs.map((run) => ({ run, metrics: metrics.get(run.id) ?? {}, checkpoint: newest.get(run.id) }));
}

/** Checkpoints whose files are there, newest first. */
export function listCheckpoints(source: DataSource, runId: string): Promise<CheckpointRow[]> {
  return source
    .getRepository(CheckpointRow)
    .find({ where: { runId, state: 'AVAILABLE' }, order: { step: 'DESC' } });
}
