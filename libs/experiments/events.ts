import { type DataSource, In } from 'typeorm';
import { CheckpointRow, RunEventRow, type RunState } from './entities.js';

/** What a run was after a change of its state. */
export interface RunSnapshot {
  state: RunState;
  step: number;
  totalSteps: number;
  attempt: number;
  error: string;
  startTime: string | null;
  endTime: string | null;
}

interface Head {
  /** Place in the order of the run's events. */
  sequence: number;
  time: Date;
}
export type RunEvent = Head &
  (
    | { kind: 'run'; snapshot: RunSnapshot }
    | { kind: 'metrics'; step: number; values: Record<string, number> }
    | { kind: 'checkpoint'; checkpoint: CheckpointRow }
    | { kind: 'warning'; message: string }
  );

export interface EventPage {
  events: RunEvent[];
  /** Sequence number up to which the page reaches, with what was left out. */
  sequence: number;
}

/**
 * Events of a run in order. Sequence numbers are taken under the lock of the run's row, so that whoever has read up to
 * one has missed none below it.
 *
 * @param afterStep leaves out the metrics of steps up to this one
 */
export async function readEvents(
  source: DataSource,
  runId: string,
  afterSequence: number,
  afterStep: number,
  limit: number,
): Promise<EventPage> {
  const rows = await source
    .getRepository(RunEventRow)
    .createQueryBuilder('event')
    .where('event.runId = :runId and event.sequence > :afterSequence', { runId, afterSequence })
    .orderBy('event.sequence')
    .take(limit)
    .getMany();
  const [values, checkpoints] = await Promise.all([
    readValues(source, runId, rows),
    readCheckpoints(source, rows),
  ]);
  const events = rows.flatMap((row): RunEvent[] => {
    const head = { sequence: Number(row.sequence), time: row.time };
    const step = Number(row.step);
    switch (row.kind) {
      case 'run':
        return [{ ...head, kind: 'run', snapshot: row.payload as RunSnapshot }];
      case 'metrics':
        return step > afterStep ? [{ ...head, kind: 'metrics', step, values: values.get(step) ?? {} }] : [];
      case 'checkpoint': {
        const checkpoint = checkpoints.get((row.payload as { id: string }).id);
        return checkpoint ? [{ ...head, kind: 'checkpoint', checkpoint }] : [];
      }
      case 'warning':
        return [{ ...head, kind: 'warning', message: (row.payload as { message: string }).message }];
    }
  });
  return { events, sequence: Number(rows.at(-1)?.sequence ?? afterSequence) };
}

async function readValues(
  source: DataSource,
  runId: string,
  rows: RunEventRow[],
): Promise<Map<number, Record<string, number>>> {
  const steps = rows.filter(({ kind }) => kind === 'metrics').map(({ step }) => Number(step));
  if (steps.length === 0) return new Map();
  // Through the run's own keys, so that the primary key (run, key, step) serves.
  const points = await source.query<{ step: string; name: string; value: number }[]>(
    `select metric.step, name, metric.value
     from latest_metric
     join metric_key on metric_key.id = latest_metric.key_id
     join metric on metric.run_id = latest_metric.run_id and metric.key_id = latest_metric.key_id
       and metric.step = any($2::bigint[])
     where latest_metric.run_id = $1
     order by name`,
    [runId, steps],
  );
  const values = new Map<number, Record<string, number>>();
  for (const { step, name, value } of points) {
    values.set(Number(step), Object.assign(values.get(Number(step)) ?? {}, { [name]: value }));
  }
  return values;
}

async function readCheckpoints(source: DataSource, rows: RunEventRow[]): Promise<Map<string, CheckpointRow>> {
  const ids = rows
    .filter(({ kind }) => kind === 'checkpoint')
    .map(({ payload }) => (payload as { id: string }).id);
  if (ids.length === 0) return new Map();
  const found = await source.getRepository(CheckpointRow).findBy({ id: In(ids) });
  return new Map(found.map((checkpoint) => [checkpoint.id, checkpoint]));
}
