import { createServer } from 'node:net';
import { Module } from '@nestjs/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger, invalid, ResimError } from '#libs/core';
import {
  connect,
  contracts,
  pretraining,
  RpcController,
  type RpcContext,
  type RpcHandlers,
  type RpcServer,
  startRpcServer,
} from './index.js';

type Service = pretraining.PretrainingServiceController;

const seen = { cancelled: 0, produced: 0, finished: 0 };
const unset: pretraining.Run = {
  id: '',
  name: '',
  group: '',
  state: pretraining.Run_State.PENDING,
  recipe: '',
  recipeJson: '',
  images: '',
  seed: '0',
  step: '0',
  totalSteps: '0',
  metrics: {},
  attempt: 0,
  error: '',
  createTime: undefined,
  startTime: undefined,
  endTime: undefined,
  checkpoint: undefined,
};

/** Answers in the ways that a service can: with a message, an error, a defect, never, and with more than one can read. */
@RpcController(contracts.pretraining)
class Answers implements RpcHandlers<Service> {
  async createRun(request: pretraining.CreateRunRequest) {
    return { ...unset, name: request.name, seed: '9007199254740993', metrics: { loss: NaN, 'loss/p4': 1.5 } };
  }
  async getRun({ id }: pretraining.GetRunRequest, { signal }: RpcContext) {
    if (id === 'wrong') throw invalid('id', id, 'a UUID', 'RUN_ID');
    if (id === 'defect') throw new TypeError('secret of the inside');
    if (id === 'long') throw invalid('recipe', 'x'.repeat(50_000), 'short '.repeat(5_000));
    if (id === 'duplicate') throw Object.assign(new Error('dup'), { severity: 'ERROR', code: '23505' });
    if (id === 'never') {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      seen.cancelled++;
    }
    return unset;
  }
  async listRuns() {
    return { runs: [unset], nextPageToken: '' };
  }
  async *watchRun({ id, afterSequence }: pretraining.WatchRunRequest): AsyncGenerator<pretraining.RunEvent> {
    try {
      for (let sequence = Number(afterSequence) + 1; ; sequence++) {
        if (id === 'short' && sequence > 3) return;
        if (id === 'breaks' && sequence > 2)
          throw new ResimError('DATA_LOSS', 'the rest is gone', { reason: 'GONE' });
        seen.produced++;
        yield {
          sequence: String(sequence),
          time: undefined,
          warning: id === 'large' ? 'x'.repeat(65_536) : 'w',
        };
        if (id === 'large') await new Promise(setImmediate);
      }
    } finally {
      seen.finished++;
    }
  }
  async cancelRun() {
    return unset;
  }
  async resumeRun() {
    return unset;
  }
  async listCheckpoints() {
    return { checkpoints: [] };
  }
  async getMetrics() {
    return { series: [] };
  }
}

@Module({ controllers: [Answers] })
class AnswersModule {}

const options = {
  module: AnswersModule,
  contracts: [contracts.pretraining],
  address: '127.0.0.1:0',
  addressSetting: 'RESIM_TEST_ADDRESS',
  logger: createLogger('rpc-test').child({}, { level: 'silent' }),
};
let server: RpcServer;
const open = () => connect(contracts.pretraining, server.address);

beforeAll(async () => {
  server = await startRpcServer(options);
  server.setServing(true);
});
afterAll(() => server.close(100));

async function failure(promise: Promise<unknown>): Promise<ResimError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ResimError)) throw new Error(`expected a ResimError, not ${String(error)}`);
  return error;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('messages arrive as they were sent: 64-bit integers exact, NaN and absent messages too', async () => {
  const client = open();
  const run = await client.createRun({ name: 'a' });
  expect(run.name).toBe('a');
  expect(run.seed).toBe('9007199254740993');
  expect(run.metrics).toEqual({ loss: NaN, 'loss/p4': 1.5 });
  expect(run.state).toBe('PENDING');
  expect(run.checkpoint ?? undefined).toBeUndefined();
  client.close();
});

test('an error keeps its code, sentence, reason and violations', async () => {
  const client = open();
  const error = await failure(client.getRun({ id: 'wrong' }));
  expect(error).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: '`id` (="wrong") must be a UUID',
    reason: 'RUN_ID',
    violations: [{ field: 'id', value: 'wrong', expected: 'a UUID' }],
    metadata: {},
  });
  client.close();
});

test('a defect tells its client a number to look up and nothing of the inside', async () => {
  const client = open();
  const error = await failure(client.getRun({ id: 'defect' }));
  expect(error.code).toBe('INTERNAL');
  expect(error.message).not.toContain('secret');
  expect(error.message).toContain(error.metadata.incident);
  client.close();
});

test('an error with more text than headers may hold is cut, not lost', async () => {
  const client = open();
  const error = await failure(client.getRun({ id: 'long' }));
  expect(error.code).toBe('INVALID_ARGUMENT');
  expect(error.violations[0]?.field).toBe('recipe');
  client.close();
});

test('a violated constraint of the database is ALREADY_EXISTS', async () => {
  const client = open();
  expect((await failure(client.getRun({ id: 'duplicate' }))).code).toBe('ALREADY_EXISTS');
  client.close();
});

test('a handler learns that its client has left, by signal and by deadline', async () => {
  const client = open();
  const before = seen.cancelled;
  const leave = new AbortController();
  const left = failure(client.getRun({ id: 'never' }, { signal: leave.signal }));
  setTimeout(() => leave.abort(), 50);
  expect((await left).code).toBe('CANCELLED');
  expect((await failure(client.getRun({ id: 'never' }, { timeout: 50 }))).code).toBe('DEADLINE_EXCEEDED');
  await until(() => seen.cancelled === before + 2);
  client.close();
});

test('a stream arrives in order and ends', async () => {
  const client = open();
  const sequences: string[] = [];
  for await (const event of client.watchRun({ id: 'short' })) sequences.push(event.sequence);
  expect(sequences).toEqual(['1', '2', '3']);
  client.close();
});

test('a stream that breaks delivers what came before its error', async () => {
  const client = open();
  const sequences: string[] = [];
  const read = async (): Promise<void> => {
    for await (const event of client.watchRun({ id: 'breaks' })) sequences.push(event.sequence);
  };
  expect(await failure(read())).toMatchObject({
    code: 'DATA_LOSS',
    reason: 'GONE',
    message: 'the rest is gone',
  });
  expect(sequences).toEqual(['1', '2']);
  client.close();
});

test('a client that does not read stops the producer, and one that leaves ends it', async () => {
  const client = open();
  const finished = seen.finished;
  for await (const event of client.watchRun({ id: 'large' })) {
    if (event.sequence !== '1') break;
    // 64 KiB messages without a pause would be thousands in this time.
    const before = seen.produced;
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(seen.produced - before).toBeLessThan(200);
  }
  await until(() => seen.finished > finished);
  client.close();
});

test('health and reflection answer', async () => {
  const grpc = await import('@grpc/grpc-js');
  const { service } = await import('grpc-health-check');
  const Health = grpc.makeGenericClientConstructor(service as never, 'Health');
  const client = new Health(server.address, grpc.credentials.createInsecure());
  const answer = await new Promise((resolve, reject) => {
    client.check!({ service: contracts.pretraining.service }, (error: unknown, value: unknown) =>
      error ? reject(error as Error) : resolve(value),
    );
  });
  expect(answer).toMatchObject({ status: 'SERVING' });
  client.close();
});

test('a port in use is named, with the setting that chooses another', async () => {
  const occupant = createServer();
  await new Promise<void>((resolve) => occupant.listen(0, '127.0.0.1', resolve));
  const { port } = occupant.address() as { port: number };
  const error = await failure(startRpcServer({ ...options, address: `127.0.0.1:${port}` }));
  expect(error.reason).toBe('PORT_IN_USE');
  expect(error.message).toContain(String(port));
  expect(error.message).toContain('RESIM_TEST_ADDRESS');
  occupant.close();
});

test('an absent service is named by its address', async () => {
  const client = connect(contracts.pretraining, '127.0.0.1:1');
  const error = await failure(client.getRun({ id: 'x' }));
  expect(error).toMatchObject({ code: 'UNAVAILABLE', reason: 'SERVICE_UNREACHABLE' });
  expect(error.message).toContain('127.0.0.1:1');
  client.close();
});

test('a server with an open stream closes when the grace is over', async () => {
  const own = await startRpcServer(options);
  const client = connect(contracts.pretraining, own.address);
  const stream = client.watchRun({ id: 'large' });
  await stream.next();
  await own.close(200);
  const rest = async (): Promise<void> => {
    for await (const event of stream) void event;
  };
  expect((await failure(rest())).code).toMatch(/UNAVAILABLE|CANCELLED/);
  client.close();
});
