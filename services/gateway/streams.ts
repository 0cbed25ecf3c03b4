import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { formatServerSentEvent, HEARTBEAT, type ServerSentEvent } from '#libs/rest';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** Every open event stream, so that shutting down does not wait for clients that never leave by themselves. */
@Injectable()
export class EventStreams implements BeforeApplicationShutdown {
  readonly #closing = new AbortController();

  beforeApplicationShutdown(): void {
    this.#closing.abort();
  }

  /**
   * Sends messages until the source ends, the client leaves or the gateway shuts down; the source's signal fires in
   * the latter two. A client that reads slowly holds the source back: nothing piles up here.
   *
   * @param open gives the messages; it is called when the stream stands
   * @param heartbeat milliseconds between signs of life
   */
  async send(
    response: ServerResponse,
    heartbeat: number,
    open: (signal: AbortSignal) => AsyncIterable<ServerSentEvent>,
  ): Promise<void> {
    const leave = new AbortController();
    response.once('close', () => leave.abort());
    const signal = AbortSignal.any([leave.signal, this.#closing.signal]);
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      // A proxy that gathers the answer before passing it on would hide the progress.
      'X-Accel-Buffering': 'no',
    });
    response.flushHeaders();
    response.write(HEARTBEAT);
    const beat = setInterval(() => response.writableNeedDrain || response.write(HEARTBEAT), heartbeat);
    try {
      for await (const message of open(signal)) {
        if (signal.aborted) break;
        if (!response.write(formatServerSentEvent(message))) await once(response, 'drain', { signal });
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      clearInterval(beat);
      response.end();
    }
  }
}
