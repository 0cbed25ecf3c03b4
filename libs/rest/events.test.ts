import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatServerSentEvent, HEARTBEAT, parseServerSentEvents, type ServerSentEvent } from './events.js';

async function parse(...chunks: Uint8Array[]): Promise<ServerSentEvent[]> {
  async function* bytes() {
    yield* chunks;
  }
  const events: ServerSentEvent[] = [];
  for await (const event of parseServerSentEvents(bytes())) events.push(event);
  return events;
}

const utf8 = new TextEncoder();

test('events arrive as they were sent, however the bytes are cut', async () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n]/g, ''));
  const event = fc.record({
    event: fc.constantFrom('run', 'metrics', 'end'),
    data: fc.array(line, { minLength: 1, maxLength: 3 }).map((lines) => lines.join('\n')),
    id: fc.option(fc.nat().map(String), { nil: undefined }),
  });
  const cut = fc.array(fc.nat(400), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.array(event), cut, async (events, cuts) => {
      const bytes = utf8.encode(events.map((one) => HEARTBEAT + formatServerSentEvent(one)).join(''));
      const places = [0, ...cuts.map((at) => Math.min(at, bytes.length)).sort((a, b) => a - b), bytes.length];
      const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
      expect(await parse(...chunks)).toEqual(events);
    }),
    { seed: 7 },
  );
});

test('all three line endings of the standard are read', async () => {
  const [one, two, three] = await parse(utf8.encode('data: a\r\n\r'), utf8.encode('\ndata: b\r\rdata:c\n\n'));
  expect([one?.data, two?.data, three?.data]).toEqual(['a', 'b', 'c']);
});

test('an event that was cut off by the end of the stream is dropped', async () => {
  expect(await parse(utf8.encode('data: whole\n\ndata: ha'))).toHaveLength(1);
  expect(await parse(utf8.encode('data: whole\n\ndata: half\n'))).toHaveLength(1);
});

test('the event is called message where no name is given, and unknown fields are passed over', async () => {
  expect(await parse(utf8.encode('retry: 5\nwhat: ever\ndata\n\n'))).toEqual([
    { event: 'message', data: '' },
  ]);
});
