import {
  type ChannelOptions,
  credentials,
  type ClientReadableStream,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import type { Observable } from 'rxjs';
import { ResimError } from '#libs/core';
import { clientClass, type Contract } from './contracts.js';
import { fromWire } from './details.js';

export interface CallOptions {
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED. @default 30000, and none for a stream */
  timeout?: number;
  /** Cancels the call, on the server too; it fails with CANCELLED. */
  signal?: AbortSignal;
  /** Extra headers. */
  metadata?: Record<string, string>;
}

type Method<F> = F extends (request: infer Request) => infer Answer
  ? [Answer] extends [Observable<infer Message>]
    ? (request: Partial<Request>, options?: CallOptions) => AsyncGenerator<Message, void>
    : (
        request: Partial<Request>,
        options?: CallOptions,
      ) => Promise<Awaited<Extract<Answer, Promise<unknown>>>>
  : never;

/** One method a RPC: a promise, or an async iterable where the answer is a stream. Each throws `ResimError`. */
export type RpcClient<Controller> = { readonly [Name in keyof Controller]: Method<Controller[Name]> } & {
  /** Ends the calls under way and the connection. */
  close(): void;
};

export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

const CHANNEL: ChannelOptions = {
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.keepalive_permit_without_calls': 1,
  // A service that was restarted is found again within seconds, not after grpc's two minutes.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
};

const DEFAULT_TIMEOUT = 30_000;

/**
 * A typed client of a service. Connects when first called, and again after the connection was lost.
 *
 * @param address host:port
 */
export function connect<Controller>(contract: Contract<Controller>, address: string): RpcClient<Controller> {
  const Client = clientClass(contract);
  const client = new Client(address, credentials.createInsecure(), CHANNEL);
  const methods: Record<string, unknown> = { close: () => client.close() };
  for (const [name, { originalName, responseStream }] of Object.entries(Client.service)) {
    const method = originalName ?? name;
    const invoke = client[name]!.bind(client) as Invoke;
    methods[method] = responseStream ? streaming(invoke, address) : unary(invoke, address);
  }
  return methods as RpcClient<Controller>;
}

interface Call {
  cancel(): void;
}
type Invoke = (
  request: unknown,
  metadata: Metadata,
  options: { deadline?: number },
  callback?: (error: ServiceError | null, answer: unknown) => void,
) => Call;

function prepare(options: CallOptions, usual?: number): [Metadata, { deadline?: number }] {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
  const timeout = options.timeout ?? usual;
  return [metadata, timeout === undefined ? {} : { deadline: Date.now() + timeout }];
}

function cancelled(): ResimError {
  return new ResimError('CANCELLED', 'the call was cancelled');
}

function unary(invoke: Invoke, address: string) {
  return (request: unknown, options: CallOptions = {}): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (options.signal?.aborted) return reject(cancelled());
      const cancel = (): void => call.cancel();
      const call = invoke(request, ...prepare(options, DEFAULT_TIMEOUT), (error, answer) => {
        options.signal?.removeEventListener('abort', cancel);
        if (error) reject(fromWire(error, address));
        else resolve(answer);
      });
      options.signal?.addEventListener('abort', cancel, { once: true });
    });
}

function streaming(invoke: Invoke, address: string) {
  return async function* (request: unknown, options: CallOptions = {}): AsyncGenerator<unknown, void> {
    if (options.signal?.aborted) throw cancelled();
    const call = invoke(request, ...prepare(options)) as ClientReadableStream<unknown>;
    const cancel = (): void => call.cancel();
    options.signal?.addEventListener('abort', cancel, { once: true });
    try {
      // Reading through the iterator pauses the stream between messages, and so, in the end, the server.
      for await (const message of call) yield message;
    } catch (error) {
      throw error instanceof ResimError ? error : fromWire(error as ServiceError, address);
    } finally {
      options.signal?.removeEventListener('abort', cancel);
      // Leaving the loop destroys the reader, after which grpc-js has the cancellation to report and nobody to tell.
      call.on('error', () => {});
      call.cancel();
    }
  };
}
