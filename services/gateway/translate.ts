import { ResimError } from '#libs/core';
import type {
  Checkpoint,
  MetricSeriesList,
  MetricValue,
  MetricValues,
  Run,
  RunEvent,
  RunState,
} from '#libs/rest';
import type { pretraining } from '#libs/rpc';

/** What stands in the messages of the gRPC contract, as the resources of REST `/v1` say it. */

interface Timestamp {
  seconds: string | number;
  nanos: number;
}

function toTime(time: Timestamp | undefined | null): string | null {
  if (!time) return null;
  return new Date(Number(time.seconds) * 1000 + Math.floor(time.nanos / 1e6)).toISOString();
}

/** int64 travels as decimal text; JSON has numbers, and no count of ours reaches 2^53. */
function toNumber(field: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw new ResimError('INTERNAL', `\`${field}\` (=${text}) is beyond what JSON numbers hold exactly`);
  }
  return value;
}

function toMetricValue(value: number): MetricValue {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  return value;
}

function toMetricValues(values: Record<string, number>): MetricValues {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, toMetricValue(value)]));
}

export function toCheckpoint(message: pretraining.Checkpoint): Checkpoint {
  return {
    id: message.id,
    runId: message.runId,
    step: toNumber('step', message.step),
    epoch: message.epoch,
    path: message.path,
    sha256: message.sha256,
    sizeBytes: toNumber('sizeBytes', message.sizeBytes),
    createTime: toTime(message.createTime),
  };
}

export function toRun(message: pretraining.Run): Run {
  return {
    id: message.id,
    name: message.name,
    group: message.group,
    state: message.state as string as RunState,
    recipe: message.recipe,
    resolvedRecipe:
      message.recipeJson === '' ? {} : (JSON.parse(message.recipeJson) as Record<string, unknown>),
    images: message.images,
    seed: toNumber('seed', message.seed),
    step: toNumber('step', message.step),
    totalSteps: toNumber('totalSteps', message.totalSteps),
    metrics: toMetricValues(message.metrics),
    attempt: message.attempt,
    error: message.error,
    createTime: toTime(message.createTime),
    startTime: toTime(message.startTime),
    endTime: toTime(message.endTime),
    checkpoint: message.checkpoint ? toCheckpoint(message.checkpoint) : null,
  };
}

export function toMetricSeries(message: pretraining.GetMetricsResponse): MetricSeriesList {
  return {
    series: message.series.map(({ key, points }) => ({
      key,
      points: points.map((point) => ({
        step: toNumber('step', point.step),
        value: toMetricValue(point.value),
        time: toTime(point.time),
      })),
    })),
  };
}

/** `undefined` for a kind of event that a newer service sends and this gateway does not know. */
export function toRunEvent(message: pretraining.RunEvent): RunEvent | undefined {
  const head = { sequence: toNumber('sequence', message.sequence), time: toTime(message.time) };
  if (message.run) return { kind: 'run', ...head, run: toRun(message.run) };
  if (message.metrics) {
    const { step, values } = message.metrics;
    return { kind: 'metrics', ...head, step: toNumber('step', step), values: toMetricValues(values) };
  }
  if (message.checkpoint)
    return { kind: 'checkpoint', ...head, checkpoint: toCheckpoint(message.checkpoint) };
  if (message.warning !== undefined) return { kind: 'warning', ...head, message: message.warning };
  return undefined;
}
