import type { DataSource, EntityManager } from 'typeorm';
import { type Logger, newId, pause } from '#libs/core';
import { appendMetrics, type MetricKeys } from '#libs/experiments';
import type { RunReport } from './rank/index.js';
import { type Claim, leaseLost } from './queue.js';
import { statements } from './statements.js';
import { whenDatabaseIsThere } from './waiting.js';

export interface JournalOptions {
  source: DataSource;
  keys: MetricKeys;
  claim: Claim;
  logger: Logger;
  /** Called after a checkpoint was written, with the last step whose metrics are in the database. */
  onCheckpoint?: (writtenStep: number) => Promise<void>;
  /** Reports kept in memory while the database is away, before whoever reports has to wait. @default 2000 */
  limit?: number;
  /** Milliseconds between two writes, in which reports gather. @default 100 */
  interval?: number;
}

const BATCH = 500;

/**
 * Writes what a run reports to the database, in order, each report once, and only while the lease is held. The run goes
 * on while the database is away: its reports wait here, and beyond the limit the run waits too.
 */
export class RunJournal {
  readonly #options: Required<Pick<JournalOptions, 'limit' | 'interval'>> & JournalOptions;
  readonly #waiting: RunReport[] = [];
  readonly #abandoned = new AbortController();
  readonly #closing = new AbortController();
  #wake: () => void = () => {};
  #makeRoom: () => void = () => {};
  #room: Promise<void> | undefined;
  #batch = 0;
  #accepted = 0;
  #flushed: { count: number; resolve: () => void }[] = [];
  #lastStep = 0;

  /** Resolves when closed and written; rejects when the lease is lost, or the journal was abandoned unwritten. */
  readonly done: Promise<void>;

  constructor(options: JournalOptions) {
    this.#options = { limit: 2_000, interval: 100, ...options };
    this.done = this.#write();
    this.done.catch(() => this.#makeRoom());
  }

  /** Resolves when there is room for more; the report itself is taken at once. */
  async accept(report: RunReport): Promise<void> {
    this.#waiting.push(report);
    this.#accepted++;
    this.#wake();
    if (this.#waiting.length < this.#options.limit || this.#abandoned.signal.aborted) return;
    this.#room ??= new Promise((resolve) => (this.#makeRoom = resolve));
    await Promise.race([this.#room, this.done]);
  }

  /** Resolves when everything that was accepted so far is written. */
  async flush(): Promise<void> {
    const written = new Promise<void>((resolve) => this.#flushed.push({ count: this.#accepted, resolve }));
    this.#wake();
    this.#settle();
    await Promise.race([written, this.done]);
  }

  /** Writes what is left; takes as long as the database stays away. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await this.done;
  }

  /** Gives up what is not written. */
  abandon(): void {
    this.#abandoned.abort();
    this.#closing.abort();
    this.#wake();
  }

  async #write(): Promise<void> {
    const { interval, logger, claim, onCheckpoint } = this.#options;
    for (;;) {
      this.#abandoned.signal.throwIfAborted();
      if (this.#waiting.length === 0) {
        if (this.#closing.signal.aborted) return;
        await new Promise<void>((resolve) => (this.#wake = resolve));
        continue;
      }
      // The same reports under the same number until they are written: a batch sent twice is written once.
      const reports = this.#waiting.slice(0, BATCH);
      await whenDatabaseIsThere(() => this.#writeBatch(reports, this.#batch + 1), {
        signal: this.#abandoned.signal,
        onGone: (error) =>
          logger.warn(
            { runId: claim.run.id, error },
            'the database is away; the run goes on, its reports wait',
          ),
      });
      this.#batch++;
      this.#waiting.splice(0, reports.length);
      this.#settle();
      if (this.#waiting.length < this.#options.limit) {
        this.#makeRoom();
        this.#room = undefined;
      }
      for (const report of reports) if (report.type === 'metrics') this.#lastStep = report.step;
      if (onCheckpoint && reports.some(({ type }) => type === 'checkpoint')) {
        await whenDatabaseIsThere(() => onCheckpoint(this.#lastStep), { signal: this.#abandoned.signal });
      }
      await pause(interval, this.#closing.signal);
    }
  }

  #settle(): void {
    const written = this.#accepted - this.#waiting.length;
    for (const { resolve } of this.#flushed.filter(({ count }) => count <= written)) resolve();
    this.#flushed = this.#flushed.filter(({ count }) => count > written);
  }

  #writeBatch(reports: RunReport[], batch: number): Promise<void> {
    const { run, fence } = this.#options.claim;
    return this.#options.source.transaction(async (manager) => {
      const steps = reports.flatMap((report) =>
        report.type === 'metrics' ? [report.step] : report.type === 'checkpoint' ? [report.info.step] : [],
      );
      const started = reports.findLast((report) => report.type === 'started');
      const progress = reports.some(({ type }) => type === 'checkpoint');
      const [opened] = await manager.query<[Opened[], number]>(statements.openBatch, [
        run.id,
        fence,
        batch,
        Math.max(0, ...steps),
        started?.info.steps ?? null,
        progress,
      ]);
      if (opened[0] === undefined) {
        const [held] = await manager.query<{ batch: string }[]>(statements.heldBatch, [run.id, fence]);
        // Committed before the connection broke.
        if (held !== undefined && Number(held.batch) >= batch) return;
        throw leaseLost(run.id);
      }
      await this.#append(manager, reports, opened[0]);
    });
  }

  async #append(manager: EntityManager, reports: RunReport[], opened: Opened): Promise<void> {
    const { claim, keys } = this.#options;
    const runId = claim.run.id;
    const metrics = reports.filter((report) => report.type === 'metrics');
    const fresh = await appendMetrics(manager, keys, runId, metrics);
    const events: { time: Date; kind: string; step: number | null; payload: unknown }[] = [];
    const now = new Date();
    for (const report of reports) {
      switch (report.type) {
        case 'metrics':
          // A step done again after a resume was told the first time.
          if (fresh.delete(report.step)) {
            events.push({ time: new Date(report.time), kind: 'metrics', step: report.step, payload: null });
          }
          break;
        case 'started':
          events.push({ time: now, kind: 'run', step: null, payload: snapshot(opened) });
          break;
        case 'checkpoint': {
          const { step, epoch, path, sha256, bytes } = report.info;
          const values = [newId(), runId, step, epoch, path, sha256, bytes];
          const [row] = await manager.query<{ id: string }[]>(statements.checkpoint, values);
          events.push({ time: now, kind: 'checkpoint', step, payload: { id: row!.id } });
          break;
        }
        case 'warning':
          // PostgreSQL keeps no NUL in text, and one odd file name must not end a run.
          events.push({
            time: now,
            kind: 'warning',
            step: null,
            payload: { message: report.message.replaceAll('\0', '\ufffd').slice(0, 2_000) },
          });
      }
    }
    if (events.length === 0) return;
    await manager.query(statements.events, [
      runId,
      opened.last_sequence,
      events.map(({ time }) => time),
      events.map(({ kind }) => kind),
      events.map(({ step }) => step),
      events.map(({ payload }) => (payload === null ? null : JSON.stringify(payload))),
    ]);
  }
}

interface Opened {
  last_sequence: string;
  state: string;
  step: string;
  total_steps: string;
  attempt: number;
  error: string;
  start_time: Date;
}

function snapshot(row: Opened): unknown {
  return {
    state: row.state,
    step: Number(row.step),
    totalSteps: Number(row.total_steps),
    attempt: row.attempt,
    error: row.error,
    startTime: row.start_time.toISOString(),
    endTime: null,
  };
}
