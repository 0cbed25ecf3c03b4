import { ResimError } from '#libs/core';
import type {
  CheckpointInfo,
  RankFailure,
  RankJob,
  RankMessage,
  RunReport,
  StartedInfo,
  SupervisorMessage,
} from './protocol.js';
import { MetricSpool } from './spool.js';

/** What the work of a rank process may tell; each promise resolves when the supervisor keeps up. */
export interface RankEvents {
  started(info: StartedInfo): Promise<void>;
  metrics(step: number, values: Record<string, number>): Promise<void>;
  checkpoint(info: CheckpointInfo): Promise<void>;
  warning(message: string): Promise<void>;
}

export interface RankContext {
  /** Fires when the run is to stop, after a checkpoint. */
  signal: AbortSignal;
  events: RankEvents;
}

/** Reports on their way to the supervisor at most, before the work waits. */
const WINDOW = 64;

/**
 * The life of a rank process: gets its job from the supervisor, does it, tells how it went, and ends. It never outlives
 * its supervisor: when the channel closes it dies on the spot, wherever it is, because another process may already go
 * on with its run.
 */
export function runRank(
  work: (job: RankJob, context: RankContext) => Promise<'SUCCEEDED' | 'CANCELLED'>,
): void {
  if (process.send === undefined) {
    console.error('This program is started by the service, not by hand.');
    process.exit(2);
  }
  // Ctrl-C reaches the whole group of processes; the supervisor decides what it means.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

  const stop = new AbortController();
  const room: (() => void)[] = [];
  let onTheWay = 0;
  const report = async (content: RunReport): Promise<void> => {
    onTheWay++;
    send({ type: 'report', report: content });
    if (onTheWay >= WINDOW) await new Promise<void>((resolve) => room.push(resolve));
  };

  const start = async (job: RankJob): Promise<void> => {
    const spool = new MetricSpool(job.directory);
    const events: RankEvents = {
      started: ({ steps, firstStep }) => report({ type: 'started', info: { steps, firstStep } }),
      metrics(step, values) {
        const metrics = { step, time: Date.now(), values };
        spool.append(metrics);
        return report({ type: 'metrics', ...metrics });
      },
      checkpoint(info) {
        spool.rotate();
        const { step, epoch, path, sha256, bytes } = info;
        return report({ type: 'checkpoint', info: { step, epoch, path, sha256, bytes } });
      },
      warning: (message) => report({ type: 'warning', message }),
    };
    let last: RankMessage;
    try {
      last = { type: 'finished', state: await work(job, { signal: stop.signal, events }) };
    } catch (error) {
      last = { type: 'failed', failure: failureOf(error) };
    }
    send(last, () => process.exit(0));
  };

  process.on('message', (message: SupervisorMessage) => {
    if (message.type === 'start') void start(message.job);
    if (message.type === 'stop') stop.abort();
    if (message.type === 'ack') {
      onTheWay--;
      room.shift()?.();
    }
  });
  send({ type: 'ready' });
}

function send(message: RankMessage, done?: () => void): void {
  // A channel that has closed meanwhile ends the process through 'disconnect'; there is nothing to say here.
  process.send?.(message, undefined, undefined, () => done?.());
}

function failureOf(error: unknown): RankFailure {
  if (error instanceof ResimError) {
    const { code, reason, message, violations } = error;
    return { code, reason, message, violations };
  }
  console.error(error);
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'INTERNAL', reason: 'INTERNAL', message: message.split('\n')[0]!, violations: [] };
}
