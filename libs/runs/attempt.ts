import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, ResimError } from '#libs/core';
import type { MetricKeys } from '#libs/experiments';
import { forgetDeletedCheckpoints, reconcileCheckpoints, type ReconcileOptions } from './checkpoints.js';
import { RunJournal } from './journal.js';
import { Lease } from './lease.js';
import type { Claim } from './queue.js';
import { clearSpool, readSpool, trimSpool } from './rank/index.js';
import { QUEUE_CHANNEL } from './statements.js';
import { endStaleRank, type Outcome, supervise, type Supervised } from './supervise.js';
import { whenDatabaseIsThere } from './waiting.js';
import type { ResolvedWorkerOptions } from './worker.js';

/** One claim from its rank process's start to its end. */
export class Attempt {
  readonly #lost = new AbortController();
  readonly #late = new AbortController();
  #reason: 'cancel' | 'shutdown' | undefined;
  #child: Supervised | undefined;
  #graceTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly claim: Claim,
    private readonly options: ResolvedWorkerOptions,
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
