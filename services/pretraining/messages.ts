import type { CheckpointRow, MetricSeries, RunDetails, RunEvent, RunSnapshot } from '#libs/experiments';
import { pretraining } from '#libs/rpc';

/** What the database keeps, as the messages of the contract say it. */

function toTimestamp(time: Date | string | null): pretraining.Run['createTime'] {
  if (time === null) return undefined;
  const milliseconds = new Date(time).getTime();
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds: String(seconds), nanos: (milliseconds - 1000 * seconds) * 1e6 };
}

export function toCheckpoint(row: CheckpointRow): pretraining.Checkpoint {
  const { id, runId, step, epoch, path, sha256, sizeBytes, createTime } = row;
  return { id, runId, step, epoch, path, sha256, sizeBytes, createTime: toTimestamp(createTime) };
}

export function toRun({ run, metrics, checkpoint }: RunDetails): pretraining.Run {
  const { id, name, recipe, images, seed, step, totalSteps, attempt, error } = run;
  return {
    id,
    name,
    group: run.groupName,
    state: pretraining.Run_State[run.state],
    recipe,
    recipeJson: JSON.stringify(run.recipeSpec),
    images,
    seed,
    step,
    totalSteps,
    metrics,
    attempt,
    error,
    createTime: toTimestamp(run.createTime),
    startTime: toTimestamp(run.startTime),
    endTime: toTimestamp(run.endTime),
    checkpoint: checkpoint && toCheckpoint(checkpoint),
  };
}

/** A run as it was after a change of its state; its metrics and its checkpoint are those of now. */
function toRunAsItWas(details: RunDetails, snapshot: RunSnapshot): pretraining.Run {
  const { state, step, totalSteps, attempt, error, startTime, endTime } = snapshot;
  return {
    ...toRun(details),
    state: pretraining.Run_State[state],
    step: String(step),
    totalSteps: String(totalSteps),
    attempt,
    error,
    startTime: toTimestamp(startTime),
    endTime: toTimestamp(endTime),
  };
}

/** @param describe gives the run that the event is of; asked for changes of state only */
export async function toRunEvent(
  event: RunEvent,
  describe: () => Promise<RunDetails>,
): Promise<pretraining.RunEvent> {
  const head = { sequence: String(event.sequence), time: toTimestamp(event.time) };
  switch (event.kind) {
    case 'run':
      return { ...head, run: toRunAsItWas(await describe(), event.snapshot) };
    case 'metrics':
      return { ...head, metrics: { step: String(event.step), values: event.values } };
    case 'checkpoint':
      return { ...head, checkpoint: toCheckpoint(event.checkpoint) };
    case 'warning':
      return { ...head, warning: event.message };
  }
}

export function toSeries(series: MetricSeries[]): pretraining.GetMetricsResponse {
  return {
    series: series.map(({ key, points }) => ({
      key,
      points: points.map(({ step, value, time }) => ({ step: String(step), value, time: toTimestamp(time) })),
    })),
  };
}
