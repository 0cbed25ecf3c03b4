import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isUuid, type Logger, ResimError } from '#libs/core';
import { MetricKeys } from '#libs/experiments';
import { forgetDeletedCheckpoints, reconcileCheckpoints, type ReconcileOptions } from './checkpoints.js';
import { RunJournal } from './journal.js';
import { Lease } from './lease.js';
import type { Notifications } from './notifications.js';
import { isDead, ownerOf } from './owner.js';
import type { Claim, RunQueue } from './queue.js';
import { clearSpool, readSpool, trimSpool } from './rank/index.js';
import { QUEUE_CHANNEL } from './statements.js';
import { endStaleRank, type Outcome, supervise, type Supervised } from './supervise.js';
import { whenDatabaseIsThere } from './waiting.js';

export interface WorkerOptions {
  queue: RunQueue;
  notifications: Notifications;
  databaseUrl: string;
  /** Folder with a folder for each run. */
  runsDirectory: string;
  /** Program of the rank process: built JavaScript. */
  rank: string;
  logger: Logger;
  /** Milliseconds without a heartbeat after which a worker counts as dead. @default 15000 */
  lease?: number;
  /** Milliseconds between two looks into the queue when nothing hints at work. @default 2000 */
  poll?: number;
  /** Failures in a row, without a new checkpoint between them, after which a run has failed. @default 3 */
  maxFailures?: number;
  /** Milliseconds before the first retry; doubles with each. @default 1000 */
  backoff?: number;
  /** Milliseconds that a run has to write its checkpoint when the service stops. @default 15000 */
  grace?: number;
  /** Milliseconds that it has when it is cancelled. @default 300000 */
  patience?: number;
}

/** Claims runs, one at a time, and sees each through: its process, its heartbeat, its journal, its end. */
export class RunWorker {
  readonly #options: Required<WorkerOptions>;
  readonly #stopping = new AbortController();
  readonly #keys = new MetricKeys();
  readonly #owner = ownerOf(process.pid);
  #attempt: Attempt | undefined;
  #done: Promise<void> = Promise.resolve();

  constructor(options: WorkerOptions) {
    this.#options = {
      lease: 15_000,
      poll: 2_000,
      maxFailures: 3,
      backoff: 1_000,
      grace: 15_000,
      patience: 300_000,
      ...options,
    };
  }

  start(): void {
    this.#done = this.#work();
  }

  /** Stops claiming; the run under way writes a checkpoint and waits in the queue for the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#attempt?.stop('shutdown');
    await this.#done;
  }

  async #work(): Promise<void> {
    const { queue, notifications, lease, poll, maxFailures, logger } = this.#options;
    const { signal } = this.#stopping;
    await this.#reconcile().catch((error: unknown) =>
      logger.warn({ error }, 'checkpoints were not compared with their rows'),
    );
    let away = false;
    while (!signal.aborted) {
      let claim: Claim | undefined;
      try {
        await queue.disown(isDead);
        claim = await queue.claim(this.#owner, lease, maxFailures);
        away = false;
      } catch (error) {
        if (!away) logger.error({ error }, 'the queue cannot be read; trying again');
        away = true;
      }
      if (claim === undefined) await notifications.wait(QUEUE_CHANNEL, () => true, poll, signal);
      else await this.#see(claim);
    }
  }

  /** Runs that nobody works on: files may have come or gone while no service ran. */
  async #reconcile(): Promise<void> {
    const { queue, runsDirectory, logger } = this.#options;
    const ids = (await readdir(runsDirectory).catch(() => [] as string[])).filter(isUuid);
    const idle = await queue.source.query<{ id: string }[]>(
      `select id from run where kind = $1 and state in ('SUCCEEDED', 'FAILED', 'CANCELLED')
         and (id = any($2::uuid[]) or exists (select 1 from checkpoint where run_id = run.id and state = 'AVAILABLE'
           and starts_with(path, $3)))`,
      [queue.kind, ids, join(runsDirectory, '/')],
    );
    for (const { id } of idle) {
      if (this.#stopping.signal.aborted) return;
      await reconcileCheckpoints({
        source: queue.source,
        runId: id,
        directory: join(runsDirectory, id),
        fence: undefined,
        logger,
      });
    }
  }

  async #see(claim: Claim): Promise<void> {
    const { logger } = this.#options;
    const runId = claim.run.id;
    const log = logger.child({ runId, attempt: claim.run.attempt });
    log.info({ state: claim.run.state }, 'a run was claimed');
    const attempt = new Attempt(claim, this.#options, this.#keys, log);
    this.#attempt = attempt;
    if (this.#stopping.signal.aborted) attempt.stop('shutdown');
    try {
      const run = await attempt.run();
      log.info({ state: run }, 'a run was put down');
    } catch (error) {
      const lost = error instanceof ResimError && error.reason === 'LEASE_LOST';
      if (lost) log.warn('the lease was lost; another worker has the run');
      else {
        log.error({ error }, 'a run failed unexpectedly');
        const { queue, maxFailures, backoff } = this.#options;
        // When this fails too, the lease runs out and the run is claimed again.
        await queue
          .retry(claim, 'the service failed; its log says more', maxFailures, backoff)
          .catch(() => {});
      }
    } finally {
      this.#attempt = undefined;
    }
  }
}

/** One claim from its rank process's start to its end. */
class Attempt {
  readonly #lost = new AbortController();
  readonly #late = new AbortController();
  #reason: 'cancel' | 'shutdown' | undefined;
  #child: Supervised | undefined;
  #graceTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly claim: Claim,
    private readonly options: Required<WorkerOptions>,
    private readonly keys: MetricKeys,
    private readonly logger: Logger,
  ) {}

  stop(reason: 'cancel' | 'shutdown'): void {
    if (this.#reason === 'shutdown') return;
    this.#reason = reason;
    this.#child?.stop();
    clearTimeout(this.#graceTimer);
    this.#graceTimer = setTimeout(
      () => {
        this.logger.warn('the run did not stop in time and is ended');
        this.#child?.kill();
        // The database may be away: what it lacks then is in the spool and in the lease, which ends with this process.
        this.#graceTimer = setTimeout(() => this.#late.abort(), 5_000);
      },
      this.options[reason === 'shutdown' ? 'grace' : 'patience'],
    );
  }

  /** @returns the state in which the run was left */
  async run(): Promise<string> {
    const { claim, options, logger } = this;
    const { databaseUrl, lease: duration, notifications } = options;
    const lease = new Lease({
      databaseUrl,
      claim,
      duration,
      logger,
      onLost: () => this.#abandon(),
      onCancel: () => {
        if (this.#reason === undefined) this.stop('cancel');
      },
    });
    const forget = notifications.on(QUEUE_CHANNEL, (id) => {
      if (id === claim.run.id) void lease.beat();
    });
    try {
      const outcome = await this.#work();
      this.#lost.signal.throwIfAborted();
      return await this.#settle(outcome);
    } finally {
      forget();
      clearTimeout(this.#graceTimer);
      await lease.stop();
    }
  }

  #abandon(): void {
    this.#lost.abort(new ResimError('ABORTED', 'the lease was lost', { reason: 'LEASE_LOST' }));
    this.#child?.kill();
  }

  async #work(): Promise<Outcome> {
    const { claim, options, logger } = this;
    const { run } = claim;
    const { queue, runsDirectory, rank } = options;
    const directory = join(runsDirectory, run.id);
    try {
      await mkdir(directory, { recursive: true });
    } catch (error) {
      const message = `the folder of the run cannot be made: ${(error as Error).message}`;
      return {
        kind: 'failed',
        failure: { code: 'FAILED_PRECONDITION', reason: 'NO_FOLDER', message, violations: [] },
      };
    }
    await endStaleRank(directory, logger);
    const signal = AbortSignal.any([this.#lost.signal, this.#late.signal]);
    const checkpoints = { source: queue.source, runId: run.id, directory, fence: claim.fence, logger };
    await whenDatabaseIsThere(() => reconcileCheckpoints(checkpoints), { signal });
    const journal = this.#openJournal(checkpoints, signal);
    // What an earlier attempt has spooled and nobody has written.
    for await (const metrics of readSpool(directory)) await journal.accept({ type: 'metrics', ...metrics });
    await journal.flush();
    await clearSpool(directory);
    this.#child = await supervise({
      module: rank,
      job: { runId: run.id, recipe: run.recipeSpec, images: run.images, directory },
      onReport: (report) => journal.accept(report),
      logger,
    });
    if (this.#reason !== undefined) this.#child.stop();
    if (signal.aborted) this.#child.kill();
    const outcome = await this.#child.ended;
    await journal.close();
    await clearSpool(directory);
    await whenDatabaseIsThere(() => forgetDeletedCheckpoints(checkpoints), { signal });
    return outcome;
  }

  #openJournal(checkpoints: ReconcileOptions, signal: AbortSignal): RunJournal {
    const { claim, keys, logger, options } = this;
    const journal = new RunJournal({
      source: options.queue.source,
      keys,
      claim,
      logger,
      onCheckpoint: async (step) => {
        await trimSpool(checkpoints.directory, step);
        await forgetDeletedCheckpoints(checkpoints);
      },
    });
    signal.addEventListener('abort', () => journal.abandon(), { once: true });
    journal.done.catch((error: unknown) => {
      if (error instanceof ResimError && error.reason === 'LEASE_LOST') this.#abandon();
      else if (!signal.aborted) {
        logger.error({ error }, 'the journal of the run failed');
        this.#child?.kill();
      }
    });
    return journal;
  }

  async #settle(outcome: Outcome): Promise<string> {
    const { claim, options, logger } = this;
    const { queue, maxFailures, backoff } = options;
    const settle = (): Promise<{ state: string }> => {
      if (outcome.kind === 'crashed') {
        if (this.#reason === 'shutdown') return queue.release(claim);
        logger.warn({ reason: outcome.reason }, 'a rank process ended without a word');
        return queue.retry(claim, `the training failed: ${outcome.reason}`, maxFailures, backoff);
      }
      if (outcome.kind === 'failed') {
        const { code, message } = outcome.failure;
        logger.warn({ failure: outcome.failure }, 'a run failed');
        // Steps are equal bit for bit when they are done again, and so are their failures: only what came from
        // elsewhere is worth another try.
        if (code === 'UNAVAILABLE') return queue.retry(claim, message, maxFailures, backoff);
        return queue.finish(claim, 'FAILED', message);
      }
      if (outcome.state === 'SUCCEEDED') return queue.finish(claim, 'SUCCEEDED');
      return this.#reason === 'shutdown' ? queue.release(claim) : queue.finish(claim, 'CANCELLED');
    };
    const signal = AbortSignal.any([this.#lost.signal, this.#late.signal]);
    return (await whenDatabaseIsThere(settle, { signal })).state;
  }
}
