import type { DataSource } from 'typeorm';
import { getRun, readEvents, type RunEvent } from '#libs/experiments';
import type { Notifications } from './notifications.js';
import { hasEnded } from './queue.js';
import { EVENT_CHANNEL } from './statements.js';

export interface WatchOptions {
  /** Only events after this sequence number. */
  afterSequence: number;
  /** Only metrics of steps after this one. */
  afterStep: number;
  signal: AbortSignal;
  /** Milliseconds between two looks when nothing hints at an event. @default 1000 */
  poll?: number;
}

const PAGE = 500;

/**
 * Events of a run in order until it has ended and all were given, or `signal` fires.
 *
 * @throws ResimError `NOT_FOUND`
 */
export async function* watchRun(
  source: DataSource,
  notifications: Notifications,
  kind: string,
  runId: string,
  options: WatchOptions,
): AsyncGenerator<RunEvent, void> {
  const { afterStep, signal, poll = 1_000 } = options;
  let sequence = options.afterSequence;
  while (!signal.aborted) {
    // Before the events: an end that is seen here has all of its events in the table.
    const ended = hasEnded((await getRun(source, kind, runId)).state);
    // Listening begins before looking, or what comes in between would be waited for in vain.
    const hint = new AbortController();
    const forget = notifications.on(EVENT_CHANNEL, (id) => {
      if (id === runId) hint.abort();
    });
    try {
      const page = await readEvents(source, runId, sequence, afterStep, PAGE);
      for (const event of page.events) {
        if (signal.aborted) return;
        yield event;
      }
      const more = page.sequence > sequence;
      sequence = page.sequence;
      if (more) continue;
      if (ended) return;
      await notifications.wait(EVENT_CHANNEL, (id) => id === runId, hint.signal.aborted ? 0 : poll, signal);
    } finally {
      forget();
    }
  }
}
