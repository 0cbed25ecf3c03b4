import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createLogger, projectPath } from '#libs/core';
import {
  getRun,
  listCheckpoints,
  readEvents,
  readMetrics,
  type RunEvent,
  type RunRow,
} from '#libs/experiments';
import {
  type EmbeddedPostgres,
  freshDatabase,
  startEmbeddedPostgres,
  type TestDatabase,
} from '../experiments/testing/index.js';
import { Notifications, reconcileCheckpoints, RunQueue, startOf, watchRun } from './index.js';
import { chain, type ChainRecipe } from './testing/rank.js';

/** Everything here is real: service processes, rank processes, PostgreSQL, signals. Only the training is a stand-in. */

const logger = createLogger('worker-test').child({}, { level: 'silent' });
let folder: string;
let database: TestDatabase;
let queue: RunQueue;
const services = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'resim-runs-'));
  database = await freshDatabase();
  queue = new RunQueue(database.source, 'chain');
});
afterEach(async () => {
  await Promise.all([...services].map((service) => end(service, 'SIGKILL')));
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

function startService(env: Record<string, string> = {}): ChildProcess {
  const service = spawn(process.execPath, [projectPath('dist', 'libs', 'runs', 'testing', 'service.js')], {
    stdio: ['ignore', 'ignore', process.env.RESIM_TEST_LOG ? 'inherit' : 'ignore'],
    env: { ...process.env, DATABASE_URL: database.url, RESIM_RUNS_DIR: folder, ...env },
  });
  services.add(service);
  return service;
}

async function end(service: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  services.delete(service);
  if (service.exitCode !== null || service.signalCode !== null) return service.exitCode;
  const exit = once(service, 'exit');
  service.kill(signal);
  if (signal === 'SIGKILL') service.kill('SIGCONT');
  await exit;
  return service.exitCode;
}

async function enqueue(changes: Partial<ChainRecipe> = {}): Promise<string> {
  const recipeSpec: ChainRecipe = { name: 'chain', seed: 5, steps: 60, every: 10, delay: 10, ...changes };
  const { id } = await queue.create({
    request: null,
    name: '',
    group: '',
    recipe: 'chain',
    recipeSpec,
    images: '/',
    seed: recipeSpec.seed,
  });
  return id;
}

async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const reaches = (id: string, wanted: (run: RunRow) => boolean): Promise<RunRow> =>
  until(async () => {
    const run = await getRun(database.source, 'chain', id);
    return wanted(run) && run;
  });
const reachesState = (id: string, state: string): Promise<RunRow> =>
  reaches(id, (run) => run.state === state);
const reachesStep = (id: string, step: number): Promise<RunRow> =>
  reaches(id, (run) => Number(run.step) >= step);

const rankOf = (id: string): { pid: number; start: string } =>
  JSON.parse(readFileSync(join(folder, id, 'rank.json'), 'utf8')) as { pid: number; start: string };
const isAlive = (rank: { pid: number; start: string }): boolean => startOf(rank.pid) === rank.start;

/** The series and the weights of a run are those of a run that nothing has happened to. */
async function expectUnharmed(id: string, steps = 60): Promise<void> {
  const expected = chain(5, steps);
  const series = await readMetrics(database.source, id);
  const loss = series.find(({ key }) => key === 'loss')!;
  expect(loss.points.map(({ step }) => step)).toEqual(Array.from({ length: steps }, (_, index) => index + 1));
  expect(loss.points.map(({ value }) => value)).toEqual(expected.losses);
  for (const { points } of series) expect(points).toHaveLength(steps);
  const [last] = await listCheckpoints(database.source, id);
  expect(last).toMatchObject({
    step: String(steps),
    sha256: createHash('sha256').update(expected.hash).digest('hex'),
  });
  const { events } = await readEvents(database.source, id, 0, 0, 10_000);
  const told = events.flatMap((event) => (event.kind === 'metrics' ? [event.step] : []));
  expect(told).toEqual(Array.from({ length: steps }, (_, index) => index + 1));
}

test('a run goes from the queue to its last checkpoint', async () => {
  startService();
  const id = await enqueue();
  const run = await reachesState(id, 'SUCCEEDED');
  expect(run).toMatchObject({ step: '60', totalSteps: '60', attempt: 1, error: '', owner: null });
  await expectUnharmed(id);
  expect((await listCheckpoints(database.source, id)).map(({ step }) => Number(step))).toEqual([
    60, 50, 40, 30, 20, 10,
  ]);
  expect(await readdir(join(folder, id))).not.toContain('spool');
});

test('the rank process killed at random moments: the run goes on and ends with the same weights', async () => {
  startService({ MAX_FAILURES: '100' });
  const id = await enqueue();
  for (let kills = 0; kills < 3; kills++) {
    const attempt = (await reaches(id, ({ state }) => state === 'RUNNING')).attempt;
    await reachesStep(id, 10 * kills + 1);
    await new Promise((resolve) => setTimeout(resolve, Number(process.hrtime.bigint() % 120n)));
    process.kill(rankOf(id).pid, 'SIGKILL');
    await reaches(id, (run) => run.attempt > attempt);
  }
  const run = await reachesState(id, 'SUCCEEDED');
  expect(run.attempt).toBe(4);
  await expectUnharmed(id);
});

test('a rank process that always dies fails its run, with the reason', async () => {
  startService();
  const id = await enqueue({ dieAt: 5 });
  const run = await reachesState(id, 'FAILED');
  expect(run).toMatchObject({
    attempt: 3,
    error: expect.stringMatching(/ended with status 3 \(3 times in a row/) as string,
  });
});

test('what the training refuses fails its run at once, in its own words', async () => {
  startService();
  const id = await enqueue({ refuse: { code: 'INVALID_ARGUMENT', message: 'the folder has no image' } });
  expect(await reachesState(id, 'FAILED')).toMatchObject({ attempt: 1, error: 'the folder has no image' });
});

test('the service killed: its rank process dies with it, and the next service goes on at once', async () => {
  // A lease far longer than the test: the next service must not wait for it.
  const env = { LEASE: '600000' };
  const service = startService(env);
  const id = await enqueue();
  await reachesStep(id, 15);
  const rank = rankOf(id);
  await end(service, 'SIGKILL');
  await until(async () => !isAlive(rank));
  startService(env);
  expect(await reachesState(id, 'SUCCEEDED')).toMatchObject({ attempt: 2 });
  await expectUnharmed(id);
});

test('a stopped service that wakes up after another has taken its run writes nothing and starts nothing', async () => {
  const zombie = startService();
  const id = await enqueue({ delay: 30 });
  await reachesStep(id, 12);
  const rank = rankOf(id);
  zombie.kill('SIGSTOP');
  startService();
  const second = await reaches(id, (run) => run.attempt === 2);
  await until(async () => rankOf(id).pid !== rank.pid);
  expect(isAlive(rank)).toBe(false);
  zombie.kill('SIGCONT');
  const run = await reachesState(id, 'SUCCEEDED');
  expect(run).toMatchObject({ attempt: 2, fence: second.fence });
  await expectUnharmed(id);
});

test('cancelling writes a checkpoint of the last step; resuming goes on from it', async () => {
  startService();
  const id = await enqueue({ every: 1_000 });
  await reachesStep(id, 7);
  expect((await queue.cancel(id)).state).toBe('CANCELLING');
  const { step } = await reachesState(id, 'CANCELLED');
  const [checkpoint] = await listCheckpoints(database.source, id);
  expect(checkpoint!.step).toBe(step);
  expect(Number(step)).toBeLessThan(60);
  await queue.resume(id);
  expect(await reachesState(id, 'SUCCEEDED')).toMatchObject({ attempt: 2 });
  await expectUnharmed(id);
});

test('checkpoints that the run itself has deleted are not listed any more', async () => {
  startService();
  const id = await enqueue({ keep: 2 });
  await reachesState(id, 'SUCCEEDED');
  const steps = (await listCheckpoints(database.source, id)).map(({ step }) => Number(step));
  expect(steps).toEqual([60, 50]);
});

test('SIGTERM: the run writes a checkpoint and waits, the service ends with status 0, the next one goes on', async () => {
  const service = startService();
  const id = await enqueue({ every: 1_000 });
  await reachesStep(id, 5);
  const rank = rankOf(id);
  expect(await end(service, 'SIGTERM')).toBe(0);
  expect(isAlive(rank)).toBe(false);
  const run = await getRun(database.source, 'chain', id);
  expect(run).toMatchObject({ state: 'PENDING', owner: null, failures: 0 });
  expect((await listCheckpoints(database.source, id))[0]!.step).toBe(run.step);
  startService();
  await reachesState(id, 'SUCCEEDED');
  await expectUnharmed(id);
});

test('watching gives every event once and in order, also in pieces, and ends with the run', async () => {
  startService();
  const notifications = new Notifications(database.url, logger);
  const id = await enqueue();
  const signal = new AbortController().signal;
  const watch = (afterSequence: number, afterStep = 0): AsyncGenerator<RunEvent> =>
    watchRun(database.source, notifications, 'chain', id, { afterSequence, afterStep, signal });
  const pieces: RunEvent[] = [];
  for (let last = 0, ended = false; !ended;) {
    ended = true;
    let taken = 0;
    for await (const event of watch(last)) {
      pieces.push(event);
      last = event.sequence;
      if (++taken === 17) {
        ended = false;
        break;
      }
    }
  }
  const whole: RunEvent[] = [];
  for await (const event of watch(0)) whole.push(event);
  expect(pieces).toEqual(whole);
  expect(whole.filter(({ kind }) => kind === 'metrics')).toHaveLength(60);
  expect(whole.flatMap((event) => (event.kind === 'run' ? [event.snapshot.state] : []))).toEqual([
    'PENDING',
    'RUNNING',
    'RUNNING',
    'SUCCEEDED',
  ]);
  const late: RunEvent[] = [];
  for await (const event of watch(0, 58)) late.push(event);
  expect(late.flatMap((event) => (event.kind === 'metrics' ? [event.step] : []))).toEqual([59, 60]);
  await notifications.close();
});

test('rows and folders of checkpoints agree again after a death between them, and after a deletion', async () => {
  const { id } = await queue.create({
    request: null,
    name: '',
    group: '',
    recipe: 'chain',
    recipeSpec: {},
    images: '/',
    seed: 1,
  });
  await queue.cancel(id);
  const directory = join(folder, id);
  const write = (name: string, files: string[]): void => {
    mkdirSync(join(directory, 'checkpoints', name), { recursive: true });
    for (const file of files) writeFileSync(join(directory, 'checkpoints', name, file), '{"epoch":2}');
  };
  const all = ['model.safetensors', 'state.safetensors', 'checkpoint.json'];
  write('step-00000004', all);
  write('step-00000008', all);
  write('step-00000012', all.slice(0, 2));
  write('.writing-16', all);
  await reconcileCheckpoints({ source: database.source, runId: id, directory, fence: undefined, logger });
  const listed = async (): Promise<number[]> =>
    (await listCheckpoints(database.source, id)).map(({ step }) => Number(step));
  expect(await listed()).toEqual([8, 4]);
  expect((await listCheckpoints(database.source, id))[0]).toMatchObject({
    epoch: 2,
    sha256: createHash('sha256').update('{"epoch":2}').digest('hex'),
  });
  await rm(join(directory, 'checkpoints', 'step-00000008'), { recursive: true });
  await reconcileCheckpoints({ source: database.source, runId: id, directory, fence: undefined, logger });
  expect(await listed()).toEqual([4]);
});

test('PostgreSQL crashing in the middle of a run: the training goes on, and nothing is lost or doubled', async () => {
  const own = await mkdtemp(join(tmpdir(), 'resim-postgres-'));
  const server: EmbeddedPostgres = await startEmbeddedPostgres({
    directory: join(own, 'data'),
    temporary: true,
  });
  const shared = { database, queue };
  database = await freshDatabase(server.url());
  queue = new RunQueue(database.source, 'chain');
  const service = startService();
  try {
    const id = await enqueue({ steps: 150 });
    await reachesStep(id, 20);
    const rank = rankOf(id);
    await server.crash();
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(isAlive(rank)).toBe(true);
    await server.start();
    expect(await reachesState(id, 'SUCCEEDED')).toMatchObject({ attempt: 1 });
    await expectUnharmed(id, 150);
  } finally {
    await end(service, 'SIGKILL');
    await database.source.destroy();
    ({ database, queue } = shared);
    await server.stop();
    await rm(own, { recursive: true, force: true });
  }
});

test('PostgreSQL and then the service crashing: what was not written yet is written by the next one', async () => {
  const own = await mkdtemp(join(tmpdir(), 'resim-postgres-'));
  const server = await startEmbeddedPostgres({ directory: join(own, 'data'), temporary: true });
  const shared = { database, queue };
  database = await freshDatabase(server.url());
  queue = new RunQueue(database.source, 'chain');
  const first = startService();
  try {
    const id = await enqueue({ steps: 100 });
    await reachesStep(id, 12);
    await server.crash();
    // Past at least one more checkpoint, whose steps nobody will do again.
    await until(async () => (await readdir(join(folder, id, 'checkpoints'))).length >= 4);
    await end(first, 'SIGKILL');
    await server.start();
    const second = startService();
    await reachesState(id, 'SUCCEEDED');
    await expectUnharmed(id, 100);
    await end(second, 'SIGKILL');
  } finally {
    await database.source.destroy();
    ({ database, queue } = shared);
    await server.stop();
    await rm(own, { recursive: true, force: true });
  }
});
