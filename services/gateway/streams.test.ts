import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { parseServerSentEvents, type ServerSentEvent } from '#libs/rest';
import { EventStreams } from './streams.js';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Serves a source over a real socket and connects to it; nothing is read before somebody reads. */
async function connect(
  open: (signal: AbortSignal) => AsyncIterable<ServerSentEvent>,
  heartbeat = 60_000,
): Promise<{ answer: IncomingMessage; streams: EventStreams; done: Promise<void> }> {
  const streams = new EventStreams();
  let finish!: (sent: Promise<void>) => void;
  const done = new Promise<void>((resolve) => (finish = resolve));
  server = createServer((_request, response) => finish(streams.send(response, heartbeat, open)));
  await new Promise<void>((listening) => server!.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const answer = await new Promise<IncomingMessage>((got) => get({ port, host: '127.0.0.1' }, got));
  return { answer, streams, done };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

test('a client that does not read holds the source back, and then gets everything', async () => {
  const total = 400;
  const data = 'x'.repeat(64 * 1024);
  let made = 0;
  const { answer, done } = await connect(async function* () {
    for (; made < total; made += 1) yield { event: 'run', id: String(made), data };
  });
  // The source stands still once the buffers of both ends are full: a few MiB of the 25.
  let before = -1;
  while (made !== before) {
    before = made;
    await sleep(200);
  }
  expect(made).toBeGreaterThan(0);
  expect(made).toBeLessThan(total / 2);
  const ids: string[] = [];
  for await (const event of parseServerSentEvents(answer)) ids.push(event.id!);
  await done;
  expect(ids).toEqual(Array.from({ length: total }, (_, index) => String(index)));
});

test('a client that leaves ends the source', async () => {
  let left = false;
  const { answer, done } = await connect(async function* (signal) {
    yield { event: 'run', data: '{}' };
    await untilAborted(signal);
    left = true;
  });
  answer.destroy();
  await done;
  expect(left).toBe(true);
});

test('a client that leaves while it is waited for ends the source too', async () => {
  let cleaned = false;
  const { answer, done } = await connect(async function* () {
    try {
      for (;;) yield { event: 'run', data: 'x'.repeat(1 << 20) };
    } finally {
      cleaned = true;
    }
  });
  await sleep(200);
  answer.destroy();
  await done;
  expect(cleaned).toBe(true);
});

test('shutting down ends open streams without an end event', async () => {
  const { answer, streams, done } = await connect(async function* (signal) {
    yield { event: 'run', id: '1', data: '{}' };
    await untilAborted(signal);
  });
  const events = parseServerSentEvents(answer);
  expect((await events.next()).value).toMatchObject({ id: '1' });
  streams.beforeApplicationShutdown();
  await done;
  expect((await events.next()).done).toBe(true);
});

test('a silent stream shows signs of life', async () => {
  const { answer } = await connect(async function* (signal) {
    await untilAborted(signal);
    yield { event: 'never', data: '' };
  }, 20);
  let text = '';
  for await (const chunk of answer) {
    text += String(chunk);
    if ((text.match(/: alive\n\n/g) ?? []).length >= 3) break;
  }
  expect(text.replaceAll(': alive\n\n', '')).toBe('');
});

test('a source that fails breaks the stream off', async () => {
  let broken = (): void => undefined;
  const { answer, done } = await connect(async function* () {
    yield { event: 'run', data: '{}' };
    await new Promise<void>((resolve) => (broken = resolve));
    throw new Error('the source broke');
  });
  answer.resume();
  const refused = expect(done).rejects.toThrow('the source broke');
  broken();
  await refused;
});
