import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { projectPath, ResimError } from '#libs/core';
import { freePort } from '#libs/experiments';
import { freshDatabase, type TestDatabase } from '#libs/experiments/testing';
import { connect, contracts, type pretraining, type RpcClient } from '#libs/rpc';

/** The pre-training service as a process, its contract, its database and its real training. */

let folder: string;
let images: string;
let database: TestDatabase;
let address: string;
let service: Service;
let client: RpcClient<pretraining.PretrainingServiceController>;

interface Service {
  process: ChildProcess;
  /** Everything it has written so far. */
  output: () => string;
}

function recipe(steps: number, checkpointEvery = 2): string {
  return `
name: tiny
seed: 3
backbone: resnet18
objective: { method: moco-v2, queue: 8, dim: 16 }
pairing: { size: 32, levels: [] }
train: { batchSize: 4, epochs: 100000, maxSteps: ${steps}, checkpointEvery: ${checkpointEvery}, precision: fp32 }
`;
}

function start(env: Record<string, string> = {}): Service {
  let output = '';
  const child = spawn(process.execPath, [projectPath('dist', 'services', 'pretraining', 'main.js')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      DATABASE_URL: database.url,
      RESIM_PRETRAINING_ADDRESS: address,
      RESIM_RUNS_DIR: join(folder, 'runs'),
      RESIM_DATA_ROOTS: images,
      ...env,
    },
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  return { process: child, output: () => output };
}

async function end({ process: child }: Service, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }
  return child.exitCode;
}

/** Waits until the service answers; fails when it has ended instead. */
async function ready(): Promise<void> {
  while (service.process.exitCode === null) {
    const answer = await client.listRuns({ pageSize: 1 }, { timeout: 2_000 }).catch(() => undefined);
    if (answer) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(service.output());
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'resim-pretraining-'));
  images = join(folder, 'images');
  await mkdir(images);
  for (let index = 0; index < 8; index++) {
    const background = { r: 30 * index, g: 128, b: 255 - 30 * index };
    const create = { width: 48, height: 40, channels: 3 as const, background };
    await sharp({ create })
      .jpeg()
      .toFile(join(images, `${index}.jpg`));
  }
  database = await freshDatabase();
  address = `127.0.0.1:${await freePort()}`;
  client = connect(contracts.pretraining, address);
  service = start();
  await ready();
});

afterAll(async () => {
  client?.close();
  if (service) await end(service, 'SIGTERM');
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

async function failure(call: Promise<unknown>): Promise<ResimError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ResimError)) throw new Error(`expected a ResimError, not ${String(error)}`);
  return error;
}

async function until(id: string, wanted: (run: pretraining.Run) => boolean): Promise<pretraining.Run> {
  for (;;) {
    const run = await client.getRun({ id });
    if (wanted(run)) return run;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
const ended = (run: pretraining.Run): boolean => ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(run.state);

async function watch(id: string, afterSequence = '0'): Promise<pretraining.RunEvent[]> {
  const events: pretraining.RunEvent[] = [];
  for await (const event of client.watchRun({ id, afterSequence })) events.push(event);
  return events;
}

test('a run goes from image files to a checkpoint whose hash stands in the database', async () => {
  const { id } = await client.createRun({ recipeYaml: recipe(6), images, name: 'first', group: 'g' });
  const events = await watch(id);
  const run = await client.getRun({ id });
  expect(run).toMatchObject({
    state: 'SUCCEEDED',
    step: '6',
    totalSteps: '6',
    attempt: 1,
    seed: '3',
    error: '',
  });
  expect(JSON.parse(run.recipeJson)).toMatchObject({ name: 'tiny', train: { maxSteps: 6 } });
  expect(events.flatMap(({ metrics }) => (metrics ? [Number(metrics.step)] : []))).toEqual([
    1, 2, 3, 4, 5, 6,
  ]);
  expect(events.flatMap((event) => (event.run ? [event.run.state] : []))).toEqual([
    'PENDING',
    'RUNNING',
    'RUNNING',
    'SUCCEEDED',
  ]);
  const [newest] = (await client.listCheckpoints({ runId: id })).checkpoints;
  expect(newest).toEqual(run.checkpoint);
  const model = await readFile(join(newest!.path, 'model.safetensors'));
  expect(newest!.sha256).toBe(createHash('sha256').update(model).digest('hex'));
  const { series } = await client.getMetrics({ runId: id, key: 'loss' });
  expect(series[0]!.points.at(-1)!.value).toBe(run.metrics.loss);

  const middle = events[4]!.sequence;
  expect(await watch(id, middle)).toEqual(events.slice(5));
});

test('killed with kill -9 at any step, a run ends with the same weights as one that was left alone', async () => {
  const asked = { recipeYaml: recipe(8, 3), images };
  const [quiet, killed] = [await client.createRun(asked), await client.createRun(asked)];
  const expected = await until(quiet.id, ended);
  await until(killed.id, ({ step }) => Number(step) >= 1 + (process.pid % 5));
  const { pid } = JSON.parse(readFileSync(join(folder, 'runs', killed.id, 'rank.json'), 'utf8')) as {
    pid: number;
  };
  process.kill(pid, 'SIGKILL');
  const run = await until(killed.id, ended);
  expect(run).toMatchObject({ state: 'SUCCEEDED', attempt: 2 });
  expect(run.checkpoint!.sha256).toBe(expected.checkpoint!.sha256);
  const loss = async (runId: string): Promise<number[]> =>
    (await client.getMetrics({ runId, key: 'loss' })).series[0]!.points.map(({ value }) => value);
  expect(await loss(killed.id)).toEqual(await loss(quiet.id));
});

test('the same request fifty times at once makes one run', async () => {
  const request = { requestId: randomUUID(), recipeYaml: recipe(1), images, group: 'fifty' };
  const runs = await Promise.all(Array.from({ length: 50 }, () => client.createRun(request)));
  expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
  expect((await client.listRuns({ group: 'fifty' })).runs).toHaveLength(1);
  const other = await failure(client.createRun({ ...request, name: 'another' }));
  expect(other).toMatchObject({ code: 'ALREADY_EXISTS', reason: 'REQUEST_ID_REUSED' });
});

test('what is wrong with a request is told by field, and nothing is queued', async () => {
  const before = (await client.listRuns({ pageSize: 1000 })).runs.length;
  const good = { recipeYaml: recipe(1), images };
  const link = join(images, 'elsewhere');
  await symlink('/etc', link);
  await writeFile(join(folder, 'outside.jpg'), '');
  const cases: [Partial<pretraining.CreateRunRequest>, field: string][] = [
    [{ ...good, requestId: 'no uuid' }, 'request_id'],
    [{ ...good, recipe: 'resim-fpn' }, 'recipe'],
    [{ images }, 'recipe'],
    [{ images, recipe: 'no-such-recipe' }, 'recipe'],
    [{ images, recipe: '../../etc/passwd' }, 'recipe'],
    [{ ...good, overrides: ['optim.rl=1'] }, 'optim.rl'],
    [{ ...good, overrides: ['train.batchSize=-4'] }, 'train.batchSize'],
    [{ ...good, images: '' }, 'images'],
    [{ ...good, images: 'images' }, 'images'],
    [{ ...good, images: join(images, 'absent') }, 'images'],
    [{ ...good, images: '/etc' }, 'images'],
    [{ ...good, images: join(images, '..') }, 'images'],
    [{ ...good, images: `${images}/../../../etc` }, 'images'],
    [{ ...good, images: `${images}-more` }, 'images'],
    [{ ...good, images: link }, 'images'],
    [{ ...good, images: join(images, '0.jpg') }, 'images'],
    [{ ...good, images: `${images}\0` }, 'images'],
    [{ ...good, name: 'a\0b' }, 'name'],
    [{ ...good, name: 'x'.repeat(201) }, 'name'],
  ];
  for (const [request, field] of cases) {
    const error = await failure(client.createRun(request));
    expect
      .soft([error.code, error.violations.map((violation) => violation.field)], JSON.stringify(request))
      .toEqual(['INVALID_ARGUMENT', [field]]);
  }
  await rm(link);
  expect((await client.listRuns({ pageSize: 1000 })).runs).toHaveLength(before);
});

test('a check resolves the recipe and queues nothing', async () => {
  const before = (await client.listRuns({ pageSize: 1000 })).runs.length;
  const run = await client.createRun({
    recipe: 'resim-fpn',
    images,
    overrides: ['seed=11'],
    validateOnly: true,
  });
  expect(run).toMatchObject({ id: '', recipe: 'resim-fpn', seed: '11' });
  expect((await client.listRuns({ pageSize: 1000 })).runs).toHaveLength(before);
});

test('pages of a list hold every run once, newest first; a token of another list is refused', async () => {
  const made: string[] = [];
  for (let index = 0; index < 5; index++) {
    const { id } = await client.createRun({ recipeYaml: recipe(1), images, group: 'pages' });
    await client.cancelRun({ id });
    made.unshift(id);
  }
  const listed: string[] = [];
  let pageToken = '';
  let pages = 0;
  do {
    const page = await client.listRuns({ group: 'pages', pageSize: 2, pageToken });
    listed.push(...page.runs.map(({ id }) => id));
    pageToken = page.nextPageToken;
    pages++;
  } while (pageToken !== '');
  expect([listed, pages]).toEqual([made, 3]);
  const first = await client.listRuns({ group: 'pages', pageSize: 2 });
  for (const [request, field] of [
    [{ group: 'others', pageToken: first.nextPageToken }, 'page_token'],
    [{ pageToken: "' or true --" }, 'page_token'],
    [{ pageSize: -1 }, 'page_size'],
  ] as const) {
    expect((await failure(client.listRuns(request))).violations[0]!.field).toBe(field);
  }
});

test('a run that is not there is NOT_FOUND, whatever is asked of it', async () => {
  for (const id of [randomUUID(), '', "'; select 1"]) {
    const calls: (() => Promise<unknown>)[] = [
      () => client.getRun({ id }),
      () => client.cancelRun({ id }),
      () => client.resumeRun({ id }),
      () => watch(id),
      () => client.listCheckpoints({ runId: id }),
      () => client.getMetrics({ runId: id }),
    ];
    for (const call of calls) expect((await failure(call())).code).toBe('NOT_FOUND');
  }
});

test('a folder without images fails its run in a sentence', async () => {
  const empty = join(images, 'empty');
  await mkdir(empty);
  const { id } = await client.createRun({ recipeYaml: recipe(1), images: empty });
  const run = await until(id, ended);
  expect(run).toMatchObject({ state: 'FAILED', attempt: 1 });
  expect(run.error).toContain(empty);
  expect(run.error).not.toMatch(/\bat .*:\d+/);
});

test('SIGTERM with a run and a watcher: status 0, the watcher is told to come back, the run goes on', async () => {
  const { id } = await client.createRun({ recipeYaml: recipe(20, 1000), images });
  await until(id, ({ step }) => Number(step) >= 3);
  const told = failure(watch(id));
  expect(await end(service, 'SIGTERM')).toBe(0);
  expect((await told).code).toBe('UNAVAILABLE');
  service = start();
  await ready();
  const run = await until(id, ended);
  expect(run).toMatchObject({ state: 'SUCCEEDED', attempt: 2, step: '20' });
  const { series } = await client.getMetrics({ runId: id, key: 'loss' });
  expect(series[0]!.points).toHaveLength(20);
});

test('what keeps the service from starting is one sentence and status 1', async () => {
  const occupant = createServer();
  await new Promise<void>((resolve) => occupant.listen(0, '127.0.0.1', resolve));
  const { port } = occupant.address() as { port: number };
  const cases: [Record<string, string>, RegExp][] = [
    [
      { RESIM_PRETRAINING_ADDRESS: `127.0.0.1:${port}` },
      new RegExp(`port ${port} is in use.*RESIM_PRETRAINING_ADDRESS`),
    ],
    [
      { RESIM_PRETRAINING_ADDRESS: 'nonsense' },
      /`RESIM_PRETRAINING_ADDRESS` \(="nonsense"\) must be an address/,
    ],
    [{ DATABASE_URL: '' }, /`DATABASE_URL`.*must be the address of a PostgreSQL/],
    [{ DATABASE_URL: 'postgres://u:secret@127.0.0.1:1/x' }, /no database answers at 127\.0\.0\.1:1\/x/],
    [{ RESIM_DATA_ROOTS: 'relative' }, /`RESIM_DATA_ROOTS`.*must be absolute folders/],
  ];
  for (const [env, message] of cases) {
    const other = start({ RESIM_LOG_LEVEL: 'silent', ...env });
    if (other.process.exitCode === null) await once(other.process, 'close');
    expect.soft(other.process.exitCode).toBe(1);
    const lines = other.output().trim().split('\n');
    expect.soft(lines).toEqual([expect.stringMatching(message)]);
    expect.soft(other.output()).not.toContain('secret');
  }
  occupant.close();
});
