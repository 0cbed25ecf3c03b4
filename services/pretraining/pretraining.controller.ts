import { Inject } from '@nestjs/common';
import { ResimError } from '#libs/core';
import {
  describeRuns,
  getRun,
  listCheckpoints,
  listRuns,
  readMetrics,
  type RunDetails,
  type RunRow,
} from '#libs/experiments';
import { type ResolvedRecipe, resolveRecipe } from '#libs/pretraining';
import { contracts, pretraining, type RpcContext, RpcController, type RpcHandlers } from '#libs/rpc';
import { type NewRun, Notifications, RunQueue, watchRun } from '#libs/runs';
import { PRETRAINING_CONFIG, type PretrainingConfig } from './config.js';
import { resolveDataFolder } from './data-roots.js';
import { toCheckpoint, toRun, toRunEvent, toSeries } from './messages.js';
import { makePageToken, readPageToken } from './page-token.js';
import { checkCount, checkCreateRun, checkPageSize, checkState } from './requests.js';
import { SHUTDOWN } from './shutdown.js';

/** `resim.v1.PretrainingService` over the queue and the experiment database. */
@RpcController(contracts.pretraining)
export class PretrainingController implements RpcHandlers<pretraining.PretrainingServiceController> {
  constructor(
    @Inject(RunQueue) private readonly queue: RunQueue,
    @Inject(Notifications) private readonly notifications: Notifications,
    @Inject(PRETRAINING_CONFIG) private readonly config: PretrainingConfig,
    @Inject(SHUTDOWN) private readonly shutdown: AbortSignal,
  ) {}

  async createRun(request: pretraining.CreateRunRequest): Promise<pretraining.Run> {
    checkCreateRun(request);
    const { requestId, validateOnly, ...asked } = request;
    const { recipe, recipeYaml: yaml, overrides, name, group } = asked;
    const resolved = resolve({ recipe, yaml, overrides });
    const images = await resolveDataFolder('images', request.images, this.config.dataRoots);
    const run = {
      requestId: requestId === '' ? undefined : requestId,
      request: asked,
      name,
      group,
      recipe: resolved.name,
      recipeSpec: resolved,
      images,
      seed: resolved.seed,
    };
    if (validateOnly) return toRun({ run: unqueued(run), metrics: {} });
    return this.#toRun(await this.queue.create(run));
  }

  async getRun({ id }: pretraining.GetRunRequest): Promise<pretraining.Run> {
    return this.#toRun(await getRun(this.queue.source, this.queue.kind, id));
  }

  async listRuns(request: pretraining.ListRunsRequest): Promise<pretraining.ListRunsResponse> {
    const size = checkPageSize(request.pageSize);
    const filter = {
      kind: this.queue.kind,
      group: request.group === '' ? undefined : request.group,
      state: checkState(request.state),
    };
    const before = request.pageToken === '' ? undefined : readPageToken(request.pageToken, filter);
    // One more than asked for: whether it is there says whether there is another page.
    const rows = await listRuns(this.queue.source, filter, size + 1, before);
    const page = rows.slice(0, size);
    return {
      runs: (await describeRuns(this.queue.source, page)).map(toRun),
      nextPageToken: rows.length > size ? makePageToken(page.at(-1)!.id, filter) : '',
    };
  }

  async *watchRun(
    request: pretraining.WatchRunRequest,
    context: RpcContext,
  ): AsyncGenerator<pretraining.RunEvent, void> {
    const { source, kind } = this.queue;
    const events = watchRun(source, this.notifications, kind, request.id, {
      afterSequence: checkCount('after_sequence', request.afterSequence),
      afterStep: checkCount('after_step', request.afterStep),
      signal: AbortSignal.any([context.signal, this.shutdown]),
    });
    const describe = (): Promise<RunDetails> => this.#describe(request.id);
    for await (const event of events) yield await toRunEvent(event, describe);
    if (this.shutdown.aborted) {
      // Not an end of the run: the client should come back and go on after the last event it has.
      throw new ResimError('UNAVAILABLE', 'the service is stopping; watch again when it is back', {
        reason: 'SERVICE_STOPPING',
      });
    }
  }

  async cancelRun({ id }: pretraining.CancelRunRequest): Promise<pretraining.Run> {
    return this.#toRun(await this.queue.cancel(id));
  }

  async resumeRun({ id }: pretraining.ResumeRunRequest): Promise<pretraining.Run> {
    return this.#toRun(await this.queue.resume(id));
  }

  async listCheckpoints({
    runId,
  }: pretraining.ListCheckpointsRequest): Promise<pretraining.ListCheckpointsResponse> {
    const { id } = await getRun(this.queue.source, this.queue.kind, runId);
    return { checkpoints: (await listCheckpoints(this.queue.source, id)).map(toCheckpoint) };
  }

  async getMetrics(request: pretraining.GetMetricsRequest): Promise<pretraining.GetMetricsResponse> {
    const { id } = await getRun(this.queue.source, this.queue.kind, request.runId);
    const key = request.key === '' ? undefined : request.key;
    const afterStep = checkCount('after_step', request.afterStep);
    return toSeries(await readMetrics(this.queue.source, id, { key, afterStep }));
  }

  async #describe(id: string): Promise<RunDetails> {
    const { source, kind } = this.queue;
    return (await describeRuns(source, [await getRun(source, kind, id)]))[0]!;
  }

  async #toRun(run: RunRow): Promise<pretraining.Run> {
    return toRun((await describeRuns(this.queue.source, [run]))[0]!);
  }
}

/** A recipe that is not there is a wrong field of the request, not an absent run. */
function resolve(asked: Parameters<typeof resolveRecipe>[0]): ResolvedRecipe {
  try {
    return resolveRecipe(asked);
  } catch (error) {
    if (!(error instanceof ResimError) || error.code !== 'NOT_FOUND') throw error;
    const { reason, violations, metadata } = error;
    throw new ResimError('INVALID_ARGUMENT', error.message, { reason, violations, metadata, cause: error });
  }
}

/** The run that a request would make. */
function unqueued(run: Omit<NewRun, 'request' | 'requestId'>): RunRow {
  const { name, group, recipe, recipeSpec, images, seed } = run;
  return {
    id: '',
    name,
    groupName: group,
    state: 'PENDING',
    recipe,
    recipeSpec,
    images,
    seed: String(seed),
    step: '0',
    totalSteps: '0',
    attempt: 0,
    error: '',
  } as RunRow;
}
