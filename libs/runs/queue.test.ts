import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '#libs/core';
import { getRun, MetricKeys, openDatabase, readEvents, readMetrics, RunRow } from '#libs/experiments';
import { freshDatabase, type TestDatabase } from '../experiments/testing/index.js';
import { isDead, type NewRun, ownerOf, RunJournal, RunQueue } from './index.js';

const LEASE = 60_000;
const logger = createLogger('queue-test').child({}, { level: 'silent' });

let database: TestDatabase;
let kinds = 0;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.drop());

/** A queue of its own for each test, on one database. */
const newQueue = (): RunQueue => new RunQueue(database.source, `kind-${kinds++}`);

const asked = (changes: Partial<NewRun> = {}): NewRun => ({
  request: { recipe: 'chain' },
  name: 'a run',
  group: '',
  recipe: 'chain',
  recipeSpec: { name: 'chain' },
  images: '/images',
  seed: 7,
  ...changes,
});

/** As if the worker had not been heard of for longer than its lease. */
async function expire(id: string): Promise<void> {
  await database.source.query(`update run set lease_until = now() - interval '1 s' where id = $1`, [id]);
}

const stateOf = async (id: string): Promise<string> =>
  (await database.source.getRepository(RunRow).findOneByOrFail({ id })).state;

test('the same request fifty times at once makes one run; another request under its id is refused', async () => {
  const queue = newQueue();
  const requestId = randomUUID();
  const runs = await Promise.all(Array.from({ length: 50 }, () => queue.create(asked({ requestId }))));
  expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
  expect(await database.source.getRepository(RunRow).countBy({ kind: queue.kind })).toBe(1);
  await expect(queue.create(asked({ requestId, request: { recipe: 'other' } }))).rejects.toMatchObject({
    code: 'ALREADY_EXISTS',
    reason: 'REQUEST_ID_REUSED',
  });
});

test('eight claimers share forty runs: none twice, none left', async () => {
  const queue = newQueue();
  for (let made = 0; made < 40; made++) await queue.create(asked());
  const other = await openDatabase({ url: database.url });
  const queues = [queue, new RunQueue(other, queue.kind)];
  const taken: string[] = [];
  await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      for (;;) {
        const claim = await queues[index % 2]!.claim(`claimer ${index}`, LEASE, 3);
        if (claim === undefined) return;
        taken.push(claim.run.id);
      }
    }),
  );
  await other.destroy();
  expect(taken).toHaveLength(40);
  expect(new Set(taken).size).toBe(40);
});

test('runs are claimed in the order they were queued', async () => {
  const queue = newQueue();
  const made = [await queue.create(asked()), await queue.create(asked()), await queue.create(asked())];
  const claimed = [];
  for (const _ of made) claimed.push((await queue.claim('a', LEASE, 3))!.run.id);
  expect(claimed).toEqual(made.map(({ id }) => id));
});

test('after another worker has claimed the run, nothing that the first one writes arrives', async () => {
  const queue = newQueue();
  await queue.create(asked());
  const zombie = (await queue.claim('zombie', LEASE, 3))!;
  expect(await queue.claim('other', LEASE, 3)).toBeUndefined();
  await expire(zombie.run.id);
  const owner = (await queue.claim('other', LEASE, 3))!;
  expect(owner.run.id).toBe(zombie.run.id);
  expect(BigInt(owner.fence)).toBeGreaterThan(BigInt(zombie.fence));
  expect(owner.run.attempt).toBe(2);

  const lost = { reason: 'LEASE_LOST' };
  await expect(queue.finish(zombie, 'SUCCEEDED')).rejects.toMatchObject(lost);
  await expect(queue.release(zombie)).rejects.toMatchObject(lost);
  await expect(queue.retry(zombie, 'x', 3, 1)).rejects.toMatchObject(lost);
  const journal = new RunJournal({ source: database.source, keys: new MetricKeys(), claim: zombie, logger });
  await journal.accept({ type: 'metrics', step: 1, time: Date.now(), values: { loss: 1 } });
  await expect(journal.close()).rejects.toMatchObject(lost);
  expect(await readMetrics(database.source, zombie.run.id)).toEqual([]);
  expect(await stateOf(zombie.run.id)).toBe('RUNNING');
  await queue.finish(owner, 'SUCCEEDED');
});

test('cancelling: a waiting run ends at once, a running one is asked, an ended one stays as it is', async () => {
  const queue = newQueue();
  const waiting = await queue.create(asked());
  expect((await queue.cancel(waiting.id)).state).toBe('CANCELLED');
  expect((await queue.cancel(waiting.id)).state).toBe('CANCELLED');

  const { id } = await queue.create(asked());
  const claim = (await queue.claim('a', LEASE, 3))!;
  expect((await queue.cancel(id)).state).toBe('CANCELLING');
  expect((await queue.cancel(id)).state).toBe('CANCELLING');
  await expect(queue.resume(id)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  expect((await queue.finish(claim, 'CANCELLED')).state).toBe('CANCELLED');
  await expect(queue.cancel(randomUUID())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(queue.cancel("'; drop table run; --")).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a run whose worker died while stopping is cancelled, not run again', async () => {
  const queue = newQueue();
  const { id } = await queue.create(asked());
  await queue.claim('a', LEASE, 3);
  await queue.cancel(id);
  await expire(id);
  expect(await queue.claim('b', LEASE, 3)).toBeUndefined();
  expect(await stateOf(id)).toBe('CANCELLED');
});

test('resuming: what was cancelled or failed is queued again, what runs stays, what succeeded is refused', async () => {
  const queue = newQueue();
  const { id } = await queue.create(asked());
  expect((await queue.resume(id)).state).toBe('PENDING');
  await queue.finish((await queue.claim('a', LEASE, 3))!, 'FAILED', 'no images');
  expect(await getRun(database.source, queue.kind, id)).toMatchObject({
    state: 'FAILED',
    error: 'no images',
  });
  expect(await queue.resume(id)).toMatchObject({ state: 'PENDING', error: '', endTime: null });
  await queue.finish((await queue.claim('a', LEASE, 3))!, 'SUCCEEDED');
  await expect(queue.resume(id)).rejects.toMatchObject({ reason: 'RUN_NOT_RESUMABLE' });
});

test('a failing run is tried again later, and fails for good when it fails too often', async () => {
  const queue = newQueue();
  const { id } = await queue.create(asked());
  for (let failures = 1; failures <= 2; failures++) {
    const claim = (await queue.claim('a', LEASE, 3))!;
    expect(await queue.retry(claim, 'it broke', 3, 60_000)).toMatchObject({ state: 'PENDING', failures });
    expect(await queue.claim('a', LEASE, 3)).toBeUndefined();
    await database.source.query(`update run set not_before = now() where id = $1`, [id]);
  }
  const last = await queue.retry((await queue.claim('a', LEASE, 3))!, 'it broke', 3, 60_000);
  expect(last).toMatchObject({
    state: 'FAILED',
    error: 'it broke (3 times in a row without a new checkpoint)',
  });
});

test('a run that brings its service down again and again fails; a checkpoint in between gives it new tries', async () => {
  const queue = newQueue();
  const { id } = await queue.create(asked());
  const keys = new MetricKeys();
  for (let attempt = 1; attempt <= 3; attempt++) {
    const claim = (await queue.claim(`a ${attempt}`, LEASE, 3))!;
    if (attempt === 2) {
      const journal = new RunJournal({ source: database.source, keys, claim, logger });
      const info = { step: 5, epoch: 0, path: '/x', sha256: '', bytes: 1 };
      await journal.accept({ type: 'checkpoint', info });
      await journal.close();
    }
    await expire(id);
  }
  expect((await queue.claim('a 4', LEASE, 3))?.run.attempt).toBe(4);
  await expire(id);
  expect(await queue.claim('a 5', LEASE, 3)).toBeUndefined();
  expect(await getRun(database.source, queue.kind, id)).toMatchObject({
    state: 'FAILED',
    error: 'the service died 3 times in a row while it worked on this run',
  });
});

test('an owner that is dead for certain is not waited for; a living or an unknown one is', async () => {
  const here = ownerOf(process.pid);
  expect(isDead(here)).toBe(false);
  expect(isDead('another host 1 2')).toBe(false);
  const recycled = here.replace(/\d+$/, '1');
  expect(isDead(recycled)).toBe(true);
  const queue = newQueue();
  await queue.create(asked());
  await queue.claim(recycled, LEASE, 3);
  expect(await queue.claim(here, LEASE, 3)).toBeUndefined();
  await queue.disown(isDead);
  expect((await queue.claim(here, LEASE, 3))?.run.attempt).toBe(2);
});

test('steps reported again after a resume change nothing and are told once', async () => {
  const queue = newQueue();
  const { id } = await queue.create(asked());
  const report = async (steps: number[]): Promise<void> => {
    const claim = (await queue.claim('a', LEASE, 9))!;
    const journal = new RunJournal({ source: database.source, keys: new MetricKeys(), claim, logger });
    await journal.accept({ type: 'started', info: { steps: 6, firstStep: steps[0]! - 1 } });
    for (const step of steps) {
      const values = { loss: step / 10, clock: performance.now(), odd: step === 2 ? NaN : -Infinity };
      await journal.accept({ type: 'metrics', step, time: 1_000 * step, values });
    }
    await journal.close();
    await expire(id);
  };
  await report([1, 2, 3, 4]);
  const before = await readMetrics(database.source, id);
  await report([3, 4, 5, 6]);
  const after = await readMetrics(database.source, id);
  expect(after.map(({ key }) => key)).toEqual(['clock', 'loss', 'odd']);
  for (const [index, { points }] of after.entries()) {
    expect(points.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(points.slice(0, 4)).toEqual(before[index]!.points);
  }
  expect(after[2]!.points[1]!.value).toBeNaN();
  const { events } = await readEvents(database.source, id, 0, 0, 100);
  expect(events.flatMap((event) => (event.kind === 'metrics' ? [event.step] : []))).toEqual([
    1, 2, 3, 4, 5, 6,
  ]);
  const sequences = events.map(({ sequence }) => sequence);
  expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b));
  expect(await readMetrics(database.source, id, { key: 'loss', afterStep: 4 })).toMatchObject([
    {
      key: 'loss',
      points: [
        { step: 5, value: 0.5 },
        { step: 6, value: 0.6 },
      ],
    },
  ]);
});

test('a journal makes its run wait when the database takes nothing, and no sooner', async () => {
  const queue = newQueue();
  const { id } = await queue.create(asked());
  const claim = (await queue.claim('a', LEASE, 3))!;
  const blocker = database.source.createQueryRunner();
  await blocker.startTransaction();
  await blocker.query(`select 1 from run where id = $1 for update`, [id]);
  const journal = new RunJournal({
    source: database.source,
    keys: new MetricKeys(),
    claim,
    logger,
    limit: 10,
  });
  const report = (step: number): Promise<void> =>
    journal.accept({ type: 'metrics', step, time: 0, values: { loss: step } });
  for (let step = 1; step < 10; step++) await report(step);
  let waited = true;
  const tenth = report(10).then(() => (waited = false));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(waited).toBe(true);
  await blocker.rollbackTransaction();
  await blocker.release();
  await tenth;
  await journal.close();
  expect((await readMetrics(database.source, id))[0]!.points).toHaveLength(10);
});
