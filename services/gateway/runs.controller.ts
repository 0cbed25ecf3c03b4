import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { invalid } from '#libs/core';
import {
  type CheckpointList,
  checkpointList,
  createRun,
  type MetricSeriesList,
  metricSeriesList,
  type Run,
  run,
  type RunList,
  runList,
  runState,
} from '#libs/rest';
import type { Response } from 'express';
import type { pretraining } from '#libs/rpc';
import { z } from 'zod';
import { PretrainingBackend } from './backend.js';
import { toCheckpoint, toMetricSeries, toRun } from './translate.js';

export const runId = z.string().min(1).max(100).meta({ description: 'Id of the run.' });

const listQuery = z.strictObject({
  pageSize: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .meta({ description: '50 when 0, at most 1000; more is taken as 1000.' }),
  pageToken: z.string().default('').meta({ description: '`nextPageToken` of the page before.' }),
  group: z.string().default('').meta({ description: 'Only runs of this group.' }),
  state: runState.optional(),
});

const metricsQuery = z.strictObject({
  key: z
    .string()
    .default('')
    .meta({ description: 'Name of the series, for example `loss` or `accuracy/p4`; all when empty.' }),
  afterStep: z.coerce.number().int().min(0).default(0).meta({ description: 'Only steps after this one.' }),
});

@ApiTags('runs')
@Controller('v1/runs')
export class RunsController {
  constructor(private readonly backend: PretrainingBackend) {}

  @Post()
  @ApiOperation({
    operationId: 'createRun',
    summary: 'Queue a pre-training run',
    description:
      'The same `Idempotency-Key` with the same body gives the first answer again; with another body, 409.',
  })
  @ApiHeader({ name: 'Idempotency-Key', required: false, schema: { type: 'string', format: 'uuid' } })
  @ApiResponse({ status: 201, description: 'Queued', standardSchema: run })
  @ApiResponse({ status: 200, description: 'Checked only, because of `validateOnly`', standardSchema: run })
  async create(
    @Body({ schema: createRun }) body: z.output<typeof createRun>,
    @Headers('idempotency-key') key: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Run> {
    const created = toRun(
      await this.backend.client.createRun({
        requestId: requestId(key, body.requestId),
        recipe: body.recipe ?? '',
        recipeYaml: body.recipeYaml ?? '',
        overrides: body.overrides,
        images: body.images,
        name: body.name,
        group: body.group,
        validateOnly: body.validateOnly,
      }),
    );
    if (body.validateOnly) response.status(200);
    else response.location(`/v1/runs/${created.id}`);
    return created;
  }

  @Get()
  @ApiOperation({ operationId: 'listRuns', summary: 'Runs, newest first' })
  @ApiResponse({ status: 200, standardSchema: runList })
  async list(@Query({ schema: listQuery }) query: z.output<typeof listQuery>): Promise<RunList> {
    const page = await this.backend.client.listRuns({
      pageSize: query.pageSize,
      pageToken: query.pageToken,
      group: query.group,
      state: query.state as pretraining.Run_State | undefined,
    });
    return { runs: page.runs.map(toRun), nextPageToken: page.nextPageToken };
  }

  @Get(':id')
  @ApiOperation({ operationId: 'getRun', summary: 'One run' })
  @ApiResponse({ status: 200, standardSchema: run })
  async get(@Param('id', { schema: runId }) id: string): Promise<Run> {
    return toRun(await this.backend.client.getRun({ id }));
  }

  @Post(':id\\:cancel')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'cancelRun',
    summary: 'Stop a run after the step under way',
    description: 'A checkpoint of that step is written first. Asking again changes nothing.',
  })
  @ApiResponse({ status: 200, standardSchema: run })
  async cancel(@Param('id', { schema: runId }) id: string): Promise<Run> {
    return toRun(await this.backend.client.cancelRun({ id }));
  }

  @Post(':id\\:resume')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'resumeRun',
    summary: 'Queue a run that was cancelled or has failed, to go on from its last checkpoint',
  })
  @ApiResponse({ status: 200, standardSchema: run })
  async resume(@Param('id', { schema: runId }) id: string): Promise<Run> {
    return toRun(await this.backend.client.resumeRun({ id }));
  }

  @Get(':id/checkpoints')
  @ApiOperation({ operationId: 'listCheckpoints', summary: 'Checkpoints of a run, newest first' })
  @ApiResponse({ status: 200, standardSchema: checkpointList })
  async checkpoints(@Param('id', { schema: runId }) id: string): Promise<CheckpointList> {
    const { checkpoints } = await this.backend.client.listCheckpoints({ runId: id });
    return { checkpoints: checkpoints.map(toCheckpoint) };
  }

  @Get(':id/metrics')
  @ApiOperation({ operationId: 'getMetrics', summary: 'Metric series of a run in order of steps' })
  @ApiResponse({ status: 200, standardSchema: metricSeriesList })
  async metrics(
    @Param('id', { schema: runId }) id: string,
    @Query({ schema: metricsQuery }) { key, afterStep }: z.output<typeof metricsQuery>,
  ): Promise<MetricSeriesList> {
    return toMetricSeries(
      await this.backend.client.getMetrics({ runId: id, key, afterStep: String(afterStep) }),
    );
  }
}

/** The header and the field are two names of one thing. */
function requestId(header: string | undefined, field: string | undefined): string {
  if (header === undefined) return field ?? '';
  if (!z.uuid().safeParse(header).success) throw invalid('Idempotency-Key', header, 'a UUID');
  if (field !== undefined && field.toLowerCase() !== header.toLowerCase()) {
    throw invalid('requestId', field, `the same as the header Idempotency-Key (${header}), or left out`);
  }
  return header;
}
