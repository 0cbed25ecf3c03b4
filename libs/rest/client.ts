import { pause, ResimError } from '#libs/core';
import {
  END_EVENT,
  PROBLEM_EVENT,
  type RunEvent,
  parseServerSentEvents,
  type ServerSentEvent,
} from './events.js';
import { fromProblem } from './problem.js';
import type {
  CheckpointList,
  CreateRun,
  MetricSeriesList,
  Recipe,
  RecipeList,
  Run,
  RunList,
  RunState,
} from './resources.js';

/** Where the gateway listens unless told otherwise. */
export const DEFAULT_GATEWAY_URL = 'http://127.0.0.1:8080';

export interface WatchOptions {
  /** Only events after this sequence number. @default 0 */
  afterSequence?: number;
  /** Only metrics of steps after this one. @default 0 */
  afterStep?: number;
  /** Ends the watching without an error. */
  signal?: AbortSignal;
  /** Told once each time the connection is lost, before it is made again. */
  onDisconnect?: (reason: ResimError) => void;
  /** Told when events flow again. */
  onReconnect?: () => void;
  /** Milliseconds without a connection after which watching fails. @default 120000 */
  patience?: number;
}

/** Three heartbeats of the gateway: a connection that stays silent for longer is half open. */
const SILENCE_MS = 45_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5_000;

/** Client of REST `/v1`. Every method throws `ResimError`: the server's own, or `UNAVAILABLE` when none answers. */
export class GatewayClient {
  readonly url: string;

  constructor(url: string = DEFAULT_GATEWAY_URL) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new ResimError(
        'INVALID_ARGUMENT',
        `the gateway's address must be a URL such as ${DEFAULT_GATEWAY_URL}, not ${url}`,
        {
          reason: 'INVALID_GATEWAY_URL',
          violations: [{ field: 'gateway', value: url, expected: 'an http or https URL' }],
        },
      );
    }
    this.url = url.replace(/\/+$/, '');
  }

  createRun(body: CreateRun): Promise<Run> {
    return this.#call('POST', '/v1/runs', { body });
  }

  getRun(id: string): Promise<Run> {
    return this.#call('GET', `/v1/runs/${encodeURIComponent(id)}`);
  }

  listRuns(
    query: { pageSize?: number; pageToken?: string; group?: string; state?: RunState } = {},
  ): Promise<RunList> {
    return this.#call('GET', '/v1/runs', { query });
  }

  cancelRun(id: string): Promise<Run> {
    return this.#call('POST', `/v1/runs/${encodeURIComponent(id)}:cancel`);
  }

  resumeRun(id: string): Promise<Run> {
    return this.#call('POST', `/v1/runs/${encodeURIComponent(id)}:resume`);
  }

  listCheckpoints(id: string): Promise<CheckpointList> {
    return this.#call('GET', `/v1/runs/${encodeURIComponent(id)}/checkpoints`);
  }

  getMetrics(id: string, query: { key?: string; afterStep?: number } = {}): Promise<MetricSeriesList> {
    return this.#call('GET', `/v1/runs/${encodeURIComponent(id)}/metrics`, { query });
  }

  listRecipes(): Promise<RecipeList> {
    return this.#call('GET', '/v1/recipes');
  }

  getRecipe(name: string): Promise<Recipe> {
    return this.#call('GET', `/v1/recipes/${encodeURIComponent(name)}`);
  }

  /**
   * Every event of a run until it has ended or `signal` fires, across restarts of the gateway and of the service:
   * a lost connection is made again and goes on after the last event that was seen.
   */
  async *watchRun(id: string, options: WatchOptions = {}): AsyncGenerator<RunEvent, void> {
    const { afterStep = 0, signal, patience = 120_000 } = options;
    let last = options.afterSequence ?? 0;
    let everConnected = false;
    let lostAt: number | undefined;
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      try {
        for await (const message of this.#events(id, last, afterStep, signal)) {
          if (lostAt !== undefined) options.onReconnect?.();
          everConnected = true;
          lostAt = undefined;
          wait = FIRST_WAIT_MS;
          if (message === 'connected') continue;
          if (message.event === END_EVENT) return;
          if (message.event === PROBLEM_EVENT) throw fromProblem(500, JSON.parse(message.data));
          const event = JSON.parse(message.data) as RunEvent;
          last = event.sequence;
          yield event;
        }
        throw new ResimError('UNAVAILABLE', `the connection to ${this.url} was closed`, {
          reason: 'CONNECTION_LOST',
        });
      } catch (error) {
        if (signal?.aborted) return;
        if (!(error instanceof ResimError) || error.code !== 'UNAVAILABLE' || !everConnected) throw error;
        if (lostAt === undefined) options.onDisconnect?.(error);
        lostAt ??= performance.now();
        if (performance.now() - lostAt > patience) throw error;
      }
      await pause(wait, signal);
      if (signal?.aborted) return;
    }
  }

  async *#events(
    id: string,
    last: number,
    afterStep: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ServerSentEvent | 'connected'> {
    const leave = new AbortController();
    const joined = signal === undefined ? leave.signal : AbortSignal.any([signal, leave.signal]);
    const response = await this.#send('GET', `/v1/runs/${encodeURIComponent(id)}/events`, {
      query: { afterStep },
      headers: { accept: 'text/event-stream', 'last-event-id': String(last) },
      signal: joined,
    });
    yield 'connected';
    const timer = setTimeout(() => leave.abort(), SILENCE_MS);
    try {
      yield* parseServerSentEvents(alive(response.body ?? [], timer));
    } catch (error) {
      throw new ResimError('UNAVAILABLE', `the connection to ${this.url} was lost`, {
        reason: 'CONNECTION_LOST',
        cause: error,
      });
    } finally {
      clearTimeout(timer);
      leave.abort();
    }
  }

  async #call<T>(method: string, path: string, options: { query?: object; body?: unknown } = {}): Promise<T> {
    const response = await this.#send(method, path, { ...options, signal: AbortSignal.timeout(60_000) });
    try {
      return (await response.json()) as T;
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  async #send(
    method: string,
    path: string,
    options: { query?: object; body?: unknown; headers?: Record<string, string>; signal: AbortSignal },
  ): Promise<Response> {
    const url = new URL(this.url + path);
    for (const [key, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) url.searchParams.set(key, String(value));
    }
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const headers = {
      ...options.headers,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    let response: Response;
    try {
      response = await fetch(url, { method, body, headers, signal: options.signal });
    } catch (error) {
      throw this.#unreachable(error);
    }
    if (response.ok) return response;
    throw fromProblem(response.status, await response.json().catch(() => undefined));
  }

  #unreachable(cause: unknown): ResimError {
    return new ResimError(
      'UNAVAILABLE',
      `no gateway answers at ${this.url}; start one with \`npm start\`, or name another with RESIM_GATEWAY_URL`,
      { reason: 'GATEWAY_UNREACHABLE', metadata: { url: this.url }, cause },
    );
  }
}

/** Chunks of a body, each of which puts off the timer. */
async function* alive(
  body: AsyncIterable<Uint8Array> | Uint8Array[],
  timer: NodeJS.Timeout,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    timer.refresh();
    yield chunk;
  }
}
