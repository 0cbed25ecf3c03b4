import { EventEmitter } from 'node:events';
import pg from 'pg';
import { type Logger, pause } from '#libs/core';
import { EVENT_CHANNEL, QUEUE_CHANNEL } from './statements.js';

type Channel = typeof EVENT_CHANNEL | typeof QUEUE_CHANNEL;

/**
 * PostgreSQL's notifications on one connection, for everybody in the process. They are hints that make waiting short:
 * what is sent while the connection is away is lost, so whoever listens looks by the clock as well.
 */
export class Notifications {
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(
    private readonly databaseUrl: string,
    private readonly logger: Logger,
  ) {
    this.#done = this.#listen();
  }

  /** @returns what ends the listening */
  on(channel: Channel, heard: (runId: string) => void): () => void {
    this.#emitter.on(channel, heard);
    return () => this.#emitter.off(channel, heard);
  }

  /** Resolves at the next notification that `wanted` accepts, after `patience` milliseconds, or when `signal` fires. */
  wait(
    channel: Channel,
    wanted: (runId: string) => boolean,
    patience: number,
    signal: AbortSignal,
  ): Promise<void> {
    const heard = new AbortController();
    const forget = this.on(channel, (runId) => {
      if (wanted(runId)) heard.abort();
    });
    return pause(patience, AbortSignal.any([heard.signal, signal])).finally(forget);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #listen(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const client = new pg.Client({
        connectionString: this.databaseUrl,
        application_name: 'resim-notifications',
        connectionTimeoutMillis: 5_000,
        keepAlive: true,
      });
      const lost = new AbortController();
      client.on('error', () => lost.abort());
      client.on('end', () => lost.abort());
      client.on('notification', ({ channel, payload }) => this.#emitter.emit(channel, payload ?? ''));
      try {
        await client.connect();
        await client.query(`listen ${QUEUE_CHANNEL}; listen ${EVENT_CHANNEL}`);
        await pause(2 ** 30, AbortSignal.any([signal, lost.signal]));
      } catch (error) {
        this.logger.debug({ error }, 'no notifications: the database is away');
      }
      // A connection that is half open never says that it has ended.
      await Promise.race([client.end().catch(() => {}), pause(1_000)]);
      await pause(500, signal);
    }
  }
}
