import pg from 'pg';
import { type Logger, pause } from '#libs/core';
import type { Claim } from './queue.js';
import { statements } from './statements.js';

export interface LeaseOptions {
  databaseUrl: string;
  claim: Claim;
  /** Milliseconds after which a worker that does not beat counts as dead. */
  duration: number;
  /** Another worker has the run: whatever this one still does is in vain. */
  onLost: () => void;
  /** Somebody has asked the run to stop. */
  onCancel: () => void;
  logger: Logger;
}

/**
 * The heartbeat of a claim. It has a connection and a timer of its own, so that neither a full pool nor a slow query
 * makes a living worker look dead. While the database is away it keeps trying, and nobody else can claim either.
 */
export class Lease {
  readonly #options: LeaseOptions;
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #stopped = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Beats now: the answer may say that the run is to stop. */
  beat(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = undefined;
      this.#schedule();
    });
    return this.#beating;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#beating;
    await this.#drop();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(() => void this.beat(), this.#options.duration / 3);
  }

  async #beat(): Promise<void> {
    const { claim, duration, onLost, onCancel, logger } = this.#options;
    if (this.#stopped) return;
    try {
      const client = (this.#client ??= await this.#connect());
      const values = [claim.run.id, claim.fence, duration];
      const { rows } = await client.query<{ state: string }>(statements.beat, values);
      if (rows[0] === undefined) {
        this.#stopped = true;
        onLost();
      } else if (rows[0].state === 'CANCELLING') onCancel();
    } catch (error) {
      logger.warn({ runId: claim.run.id, error }, 'a heartbeat did not reach the database');
      await this.#drop();
    }
  }

  async #connect(): Promise<pg.Client> {
    const { databaseUrl, duration } = this.#options;
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: 'resim-lease',
      connectionTimeoutMillis: duration / 3,
      // On the client's side too: a connection that is half open answers nothing, not even an error.
      query_timeout: duration / 3,
      keepAlive: true,
    });
    // The connection may break between two beats; the next one finds out.
    client.on('error', () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      void client.end().catch(() => {});
      throw error;
    }
  }

  async #drop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    // A connection that is half open never says that it has ended.
    if (client) await Promise.race([client.end().catch(() => {}), pause(1_000)]);
  }
}
