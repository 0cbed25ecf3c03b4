import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isUuid, type Logger, ResimError } from '#libs/core';
import { MetricKeys } from '#libs/experiments';
import { reconcileCheckpoints } from './checkpoints.js';
import type { Notifications } from './notifications.js';
import { Attempt } from './attempt.js';
import { isDead, ownerOf } from './owner.js';
import type { Claim, RunQueue } from './queue.js';
import { QUEUE_CHANNEL } from './statements.js';

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

export type ResolvedWorkerOptions = Required<WorkerOptions>;

/** Claims runs, one at a time, and sees each through: its process, its heartbeat, its journal, its end. */
export class RunWorker {
  readonly #options: ResolvedWorkerOptions;
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
