import type { ServerWritableStream } from '@grpc/grpc-js';

/** The part of grpc-js's call that streaming needs. */
export type WritableCall<Message> = Pick<ServerWritableStream<unknown, Message>, 'write' | 'on' | 'off'>;

/**
 * Writes every message to the call. The next one is asked for only when the client has taken the last ones, so what
 * waits in memory is bounded by HTTP/2's windows however slow the client is. Returns early, closing the iterator, when
 * `signal` fires; the caller ends the call.
 */
export async function streamToCall<Message>(
  call: WritableCall<Message>,
  messages: AsyncIterable<Message>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = messages[Symbol.asyncIterator]();
  const left = aborted(signal);
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), left.promise]);
      if (next === undefined || next.done || signal.aborted) return;
      if (!call.write(next.value)) await drained(call, left.promise);
    }
  } finally {
    left.forget();
    // Not awaited: a generator that still waits for its next message returns after that only.
    iterator.return?.().then(undefined, () => {});
  }
}

function aborted(signal: AbortSignal): { promise: Promise<undefined>; forget: () => void } {
  let listener = (): void => {};
  const promise = new Promise<undefined>((resolve) => {
    listener = () => resolve(undefined);
    if (signal.aborted) listener();
    else signal.addEventListener('abort', listener, { once: true });
  });
  return { promise, forget: () => signal.removeEventListener('abort', listener) };
}

async function drained(call: WritableCall<never>, left: Promise<undefined>): Promise<void> {
  let listener = (): void => {};
  const drain = new Promise<void>((resolve) => {
    listener = resolve;
    call.on('drain', listener);
  });
  await Promise.race([drain, left]);
  call.off('drain', listener);
}
