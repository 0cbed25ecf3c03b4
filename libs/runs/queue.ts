import type { DataSource } from 'typeorm';
import { fingerprint, newId, ResimError } from '#libs/core';
import { getRun, hydrate, RunRow, type RunState } from '#libs/experiments';
import { statements } from './statements.js';

export interface NewRun {
  /** Made by the client; undefined when it does not mind a second run after a retry. */
  requestId?: string;
  /** What the client asked for, as it asked: tells a retry from another request. */
  request: unknown;
  name: string;
  group: string;
  recipe: string;
  recipeSpec: unknown;
  images: string;
  seed: number;
}

/** A run that this process works on, and the fence that everything it writes must carry. */
export interface Claim {
  run: RunRow;
  fence: string;
}

export function hasEnded(state: RunState): boolean {
  return state === 'SUCCEEDED' || state === 'FAILED' || state === 'CANCELLED';
}

/** A worker whose lease is lost has this thrown at whatever it still tries to write. */
export function leaseLost(runId: string): ResimError {
  return new ResimError('ABORTED', `run ${runId} is worked on by another process`, { reason: 'LEASE_LOST' });
}

/** Runs of one kind and the states they go through; `docs/decisions/0002-queue.md` has the reasons. */
export class RunQueue {
  constructor(
    readonly source: DataSource,
    readonly kind: string,
  ) {}

  async #rows(statement: string, values: unknown[]): Promise<RunRow[]> {
    return hydrate(
      this.source,
      RunRow,
      await this.source.query<Record<string, unknown>[]>(statement, values),
    );
  }

  async #held(claim: Claim, statement: string, values: unknown[] = []): Promise<RunRow> {
    const [run] = await this.#rows(statement, [claim.run.id, claim.fence, ...values]);
    if (run === undefined) throw leaseLost(claim.run.id);
    return run;
  }

  /**
   * Queues a run; the same request again gives the run that the first one made.
   *
   * @throws ResimError `ALREADY_EXISTS` when the request id was used for another request
   */
  async create(options: NewRun): Promise<RunRow> {
    const { requestId, name, group, recipe, recipeSpec, images, seed } = options;
    const hash = requestId === undefined ? null : fingerprint(options.request);
    const values = [
      newId(),
      this.kind,
      requestId ?? null,
      hash,
      name,
      group,
      recipe,
      JSON.stringify(recipeSpec),
    ];
    const [made] = await this.#rows(statements.create, [...values, images, seed]);
    if (made !== undefined) return made;
    const first = await this.source.getRepository(RunRow).findOneByOrFail({ requestId: requestId! });
    if (first.requestHash === hash && first.kind === this.kind) return first;
    throw new ResimError(
      'ALREADY_EXISTS',
      `\`request_id\` (=${requestId}) was used for another request; a new request needs a new id`,
      { reason: 'REQUEST_ID_REUSED', metadata: { runId: first.id } },
    );
  }

  /** Takes the run that has waited longest, or one whose worker is dead; undefined when there is none. */
  async claim(owner: string, lease: number, maxFailures: number): Promise<Claim | undefined> {
    await this.#rows(statements.buryCancelling, [this.kind]);
    await this.#rows(statements.buryHopeless, [this.kind, maxFailures]);
    const [run] = await this.#rows(statements.claim, [this.kind, owner, lease]);
    return run && { run, fence: run.fence };
  }

  /** Ends the leases of owners that `isDead` says are dead for certain, so that nobody waits for them to run out. */
  async disown(isDead: (owner: string) => boolean): Promise<void> {
    const owners = await this.source.query<{ owner: string }[]>(statements.owners, [this.kind]);
    const dead = owners.map(({ owner }) => owner).filter(isDead);
    if (dead.length > 0) await this.source.query(statements.disown, [this.kind, dead]);
  }

  /** @throws ResimError `ABORTED` `LEASE_LOST`, as the next two */
  finish(claim: Claim, state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED', error = ''): Promise<RunRow> {
    return this.#held(claim, statements.finish, [state, error]);
  }

  /** Gives a run back that this process may not finish. */
  release(claim: Claim): Promise<RunRow> {
    return this.#held(claim, statements.release);
  }

  /** Queues a run again after a failure, later each time, until it has failed too often. */
  retry(claim: Claim, error: string, maxFailures: number, backoff: number): Promise<RunRow> {
    return this.#held(claim, statements.retry, [error, maxFailures, backoff]);
  }

  /** Asks a run to stop. One that has ended, or stops already, stays as it is. */
  async cancel(id: string): Promise<RunRow> {
    const run = await getRun(this.source, this.kind, id);
    const [changed] = await this.#rows(statements.cancel, [this.kind, id]);
    return changed ?? (hasEnded(run.state) ? run : getRun(this.source, this.kind, id));
  }

  /**
   * Queues a run again that was cancelled or has failed. One that waits or runs stays as it is.
   *
   * @throws ResimError `FAILED_PRECONDITION` when it has succeeded, or is still stopping
   */
  async resume(id: string): Promise<RunRow> {
    await getRun(this.source, this.kind, id);
    const [changed] = await this.#rows(statements.resume, [this.kind, id]);
    if (changed !== undefined) return changed;
    const run = await getRun(this.source, this.kind, id);
    if (run.state === 'PENDING' || run.state === 'RUNNING') return run;
    const why =
      run.state === 'SUCCEEDED' ? 'it has finished' : 'it is still stopping; try again when it has stopped';
    throw new ResimError('FAILED_PRECONDITION', `run ${id} cannot be resumed: ${why}`, {
      reason: 'RUN_NOT_RESUMABLE',
      metadata: { state: run.state },
    });
  }
}
