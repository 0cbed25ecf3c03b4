import { z } from 'zod';
import { checkpoint, metricValues, run } from './resources.js';

const sequence = z.int().min(0);
const time = z.iso.datetime().nullable();

/** What `GET /v1/runs/{id}/events` sends as `data`; the kind is also the SSE event name, `sequence` also its id. */
export const runEvent = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('run'), sequence, time, run }),
    z.object({ kind: z.literal('metrics'), sequence, time, step: z.int().min(0), values: metricValues }),
    z.object({ kind: z.literal('checkpoint'), sequence, time, checkpoint }),
    z.object({ kind: z.literal('warning'), sequence, time, message: z.string() }),
  ])
  .meta({ id: 'RunEvent' });
export type RunEvent = z.output<typeof runEvent>;

/** Sent once, as the last event, when the run has ended and every event of it was sent: do not connect again. */
export const END_EVENT = 'end';

/** Sent as the last event when the stream cannot go on for a reason that trying again does not mend; data: a problem. */
export const PROBLEM_EVENT = 'problem';

/** One message of a server-sent event stream. */
export interface ServerSentEvent {
  /** @default `message`, as the standard says */
  event: string;
  data: string;
  id?: string;
}

export function formatServerSentEvent({ event, data, id }: ServerSentEvent): string {
  const lines = data.split('\n').map((line) => `data: ${line}\n`);
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\n${lines.join('')}\n`;
}

/** A line that keeps a silent connection open and tells a client that the server still lives. */
export const HEARTBEAT = ': alive\n\n';

/**
 * Messages of a server-sent event stream, however the bytes were cut on their way.
 * Grammar: WHATWG HTML, "Parsing an event stream". A message cut off by the end of the stream is dropped, as there.
 */
export async function* parseServerSentEvents(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let message: { event?: string; data: string[]; id?: string } = { data: [] };
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true });
    // A lone \r at the end may be the first half of \r\n: it waits for the next chunk.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (message.data.length > 0)
          yield { event: message.event ?? 'message', data: message.data.join('\n'), id: message.id };
        message = { data: [] };
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') message.data.push(value);
      else if (field === 'event') message.event = value;
      else if (field === 'id') message.id = value;
    }
  }
}
