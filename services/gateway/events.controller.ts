import { Controller, Get, Headers, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { invalid, ResimError } from '#libs/core';
import { END_EVENT, PROBLEM_EVENT, type ServerSentEvent, toProblem } from '#libs/rest';
import type { Response } from 'express';
import { z } from 'zod';
import { PretrainingBackend } from './backend.js';
import { GATEWAY_CONFIG, type GatewayConfig } from './config.js';
import { runId } from './runs.controller.js';
import { EventStreams } from './streams.js';
import { toRunEvent } from './translate.js';

const eventsQuery = z.strictObject({
  afterSequence: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .meta({ description: 'Only events after this one, for clients that cannot set `Last-Event-ID`.' }),
  afterStep: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .meta({ description: 'Only metrics of steps after this one; everything else is always sent.' }),
});

@ApiTags('runs')
@Controller('v1/runs')
export class EventsController {
  constructor(
    private readonly backend: PretrainingBackend,
    private readonly streams: EventStreams,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  @Get(':id/events')
  @ApiOperation({
    operationId: 'watchRun',
    summary: 'Events of a run as they happen',
    description:
      'Server-sent events `run`, `metrics`, `checkpoint` and `warning`; the data of each is a RunEvent, its id the ' +
      'sequence number. `end` says that the run has ended and all was sent. A stream that stops without `end` was ' +
      'interrupted: connect again with `Last-Event-ID`. `problem` carries problem details and is the last event.',
  })
  @ApiHeader({ name: 'Last-Event-ID', required: false, schema: { type: 'integer', minimum: 0 } })
  @ApiResponse({
    status: 200,
    description: 'A stream of events',
    content: { 'text/event-stream': { schema: { type: 'string' } } },
    headers: {},
  })
  async events(
    @Param('id', { schema: runId }) id: string,
    @Query({ schema: eventsQuery }) query: z.output<typeof eventsQuery>,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Res() response: Response,
  ): Promise<void> {
    const after = lastEventId === undefined ? query.afterSequence : sequence(lastEventId);
    // Whether there is such a run is told as a status, which a stream under way could no longer carry.
    await this.backend.client.getRun({ id });
    await this.streams.send(response, this.config.heartbeat, (signal) =>
      this.#messages(id, after ?? 0, query.afterStep, signal),
    );
  }

  async *#messages(
    id: string,
    afterSequence: number,
    afterStep: number,
    signal: AbortSignal,
  ): AsyncGenerator<ServerSentEvent> {
    const request = { id, afterSequence: String(afterSequence), afterStep: String(afterStep) };
    try {
      for await (const message of this.backend.client.watchRun(request, { signal })) {
        const event = toRunEvent(message);
        if (event) yield { id: String(event.sequence), event: event.kind, data: JSON.stringify(event) };
      }
      yield { event: END_EVENT, data: '{}' };
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ResimError)) throw error;
      // The client connects again by itself and goes on after the last event it has.
      if (error.code === 'UNAVAILABLE' || error.code === 'DEADLINE_EXCEEDED') return;
      yield { event: PROBLEM_EVENT, data: JSON.stringify(toProblem(error)) };
    }
  }
}

function sequence(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw invalid('Last-Event-ID', text, 'the sequence number of an event');
  }
  return value;
}
