import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import sharp from 'sharp';
import request from 'supertest';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { projectPath } from '#libs/core';
import { freshDatabase, type TestDatabase } from '#libs/experiments/testing';
import { GatewayClient, type Run, type RunEvent, runEvent } from '#libs/rest';
import { showRun } from '../cli/live.js';
import { freePort, ready, ServiceProcess } from './gateway.services.js';

/** The gateway and the command in front of the real service, its real database and its real training process. */
let folder: string;
let images: string;
let database: TestDatabase;
let service: ServiceProcess;
let gateway: ServiceProcess;
let url: string;
let client: GatewayClient;

/** Small enough that a step takes a moment; `steps` is how many it has. */
function recipe(steps: number): string {
  return `
name: tiny
backbone: resnet18
objective: { method: moco-v2, queue: 8, dim: 16 }
pairing: { size: 32, levels: [] }
train: { batchSize: 4, epochs: 100000, maxSteps: ${steps}, checkpointEvery: 2, precision: fp32 }
`;
}

/** More steps than a test waits for. */
const ENDLESS = 100_000;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'resim-gateway-'));
  images = join(folder, 'images');
  await mkdir(images);
  for (let index = 0; index < 8; index += 1) {
    const background = { r: 30 * index, g: 128, b: 255 - 30 * index };
    await sharp({ create: { width: 64, height: 48, channels: 3, background } })
      .jpeg()
      .toFile(join(images, `${index}.jpg`));
  }
  await writeFile(join(folder, 'tiny.yaml'), recipe(6));
  database = await freshDatabase();
  const address = `127.0.0.1:${await freePort()}`;
  service = new ServiceProcess('pretraining', {
    DATABASE_URL: database.url,
    RESIM_PRETRAINING_ADDRESS: address,
    RESIM_RUNS_DIR: join(folder, 'runs'),
    RESIM_DATA_ROOTS: folder,
  });
  const port = await freePort();
  gateway = new ServiceProcess('gateway', {
    RESIM_GATEWAY_PORT: String(port),
    RESIM_PRETRAINING_ADDRESS: address,
  });
  url = `http://127.0.0.1:${port}`;
  client = new GatewayClient(url);
  service.start();
  gateway.start();
  await ready(`${url}/readyz`, [service, gateway]);
});

afterAll(async () => {
  await gateway?.end('SIGTERM');
  await service?.end('SIGTERM');
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

function resim(...args: string[]): Promise<Outcome> {
  const env = { ...process.env, RESIM_GATEWAY_URL: url };
  return new Promise((resolve) => {
    execFile(process.execPath, [projectPath('cli/resim.mjs'), ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });
}

async function eventsOf(id: string, after = 0): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of client.watchRun(id, { afterSequence: after })) events.push(runEvent.parse(event));
  return events;
}

async function until(id: string, condition: (run: Run) => boolean): Promise<Run> {
  for (;;) {
    const run = await client.getRun(id);
    if (condition(run)) return run;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A run with six steps that has succeeded, made by the command. */
let finished: Run;

test('the command starts a run, waits for its end and prints it as one JSON document', async () => {
  const args = ['pretrain', '--images', images, '--recipe', join(folder, 'tiny.yaml'), '--name', 'first'];
  const { code, stdout, stderr } = await resim(...args, '--set', 'seed=7', '--json');
  expect(stderr).toBe('');
  expect(code).toBe(0);
  finished = JSON.parse(stdout) as Run;
  expect(finished).toMatchObject({ state: 'SUCCEEDED', name: 'first', step: 6, totalSteps: 6, seed: 7 });
  expect(finished.checkpoint?.step).toBe(6);
  expect(finished.metrics.loss).toBeTypeOf('number');
});

test('what the command shows of a run is what REST tells of it', async () => {
  const shown = await resim('runs', 'show', finished.id, '--json');
  expect(JSON.parse(shown.stdout)).toMatchObject({ id: finished.id, checkpoints: [{ step: 6 }, {}, {}] });
  const listed = await resim('runs', 'ls', '--state', 'SUCCEEDED', '--json');
  expect((JSON.parse(listed.stdout) as { runs: Run[] }).runs.map(({ id }) => id)).toContain(finished.id);
  expect((await resim('runs', 'ls')).stdout).toContain(finished.id);
  const watched = await resim('runs', 'watch', finished.id);
  expect(watched.code).toBe(0);
  expect(watched.stdout).toContain('checkpoint at step 4');
  expect(watched.stdout).toContain('SUCCEEDED');
});

test('on a terminal the figures are one line that is drawn again, below the lines that stay', async () => {
  const written: string[] = [];
  const out = Object.assign(new PassThrough(), { isTTY: true, columns: 60 });
  out.on('data', (chunk: Buffer) => written.push(chunk.toString()));
  const run = await client.createRun({ recipeYaml: recipe(6), images });
  vi.stubEnv('CI', undefined);
  vi.stubEnv('TERM', 'xterm');
  const last = await showRun({ client, run, out: out as unknown as NodeJS.WriteStream });
  vi.unstubAllEnvs();
  expect(last.state).toBe('SUCCEEDED');
  const drawn = written.filter((text) => text.startsWith('\r\x1b[Kstep'));
  expect(drawn.length).toBeGreaterThan(0);
  for (const line of drawn) expect(line.slice(4).length).toBeLessThan(60);
  expect(written.at(-1)).toMatch(/^SUCCEEDED/);
});

test('a metric series is in order of steps and can be asked for from a step on', async () => {
  const { series } = await client.getMetrics(finished.id, { key: 'loss' });
  expect(series.map(({ key }) => key)).toEqual(['loss']);
  expect(series[0]!.points.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  const later = await client.getMetrics(finished.id, { key: 'loss', afterStep: 4 });
  expect(later.series[0]!.points).toEqual(series[0]!.points.slice(4));
});

test('events begin again after the last one that was seen', async () => {
  const all = await eventsOf(finished.id);
  const sequences = all.map(({ sequence }) => sequence);
  expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b));
  expect(all.filter(({ kind }) => kind === 'metrics')).toHaveLength(6);
  expect(all.filter(({ kind }) => kind === 'checkpoint')).toHaveLength(3);
  expect(all.at(-1)).toMatchObject({ kind: 'run', run: { state: 'SUCCEEDED' } });
  for (const cut of [1, Math.floor(all.length / 2), all.length - 1]) {
    expect(await eventsOf(finished.id, sequences[cut - 1])).toEqual(all.slice(cut));
  }
});

test('the same idempotency key makes one run, with another body it is refused', async () => {
  const key = randomUUID();
  const body = { recipeYaml: recipe(1), images };
  const post = (more: object = {}) =>
    request(url)
      .post('/v1/runs')
      .set('Idempotency-Key', key)
      .send({ ...body, ...more });
  const answers = await Promise.all(Array.from({ length: 8 }, () => post()));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
  const ids = new Set(answers.map((answer) => (answer.body as Run).id));
  expect(ids.size).toBe(1);
  expect(answers[0]!.headers.location).toBe(`/v1/runs/${[...ids][0]}`);
  expect((await post({ name: 'another' })).status).toBe(409);
});

test('a check queues nothing', async () => {
  const before = (await client.listRuns({ pageSize: 1000 })).runs.length;
  const answer = await request(url)
    .post('/v1/runs')
    .send({ recipeYaml: recipe(1), images, validateOnly: true });
  expect(answer.status).toBe(200);
  expect((answer.body as Run).id).toBe('');
  expect((answer.body as Run).resolvedRecipe).toMatchObject({ name: 'tiny' });
  expect((await client.listRuns({ pageSize: 1000 })).runs).toHaveLength(before);
});

test('a recipe with a typo is refused with the path of the key', async () => {
  const args = ['pretrain', '--images', images, '--recipe', join(folder, 'tiny.yaml')];
  const { code, stdout, stderr } = await resim(...args, '--set', 'optim.lrr=1');
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain('optim.lrr');
  expect(stderr.trim().split('\n')).toHaveLength(1);
});

test('a folder outside the data roots and an empty one are refused', async () => {
  for (const wrong of ['/etc', join(folder, '..'), 'images']) {
    const { status, body } = await request(url)
      .post('/v1/runs')
      .send({ recipeYaml: recipe(1), images: wrong });
    expect([wrong, status]).toEqual([wrong, 400]);
    expect(body).toMatchObject({ violations: [{ field: 'images' }] });
  }
});

test('a run that is not there is a 404', async () => {
  for (const path of ['', '/events', '/checkpoints', '/metrics']) {
    for (const id of [randomUUID(), 'not-a-uuid']) {
      const { status, type } = await request(url).get(`/v1/runs/${id}${path}`);
      expect([path, id, status, type]).toEqual([path, id, 404, 'application/problem+json']);
    }
  }
});

test('a run is cancelled and resumed through the command, and goes on where it was', async () => {
  const run = await client.createRun({ recipeYaml: recipe(ENDLESS), images });
  await until(run.id, ({ step }) => step >= 3);
  expect((await resim('runs', 'cancel', run.id)).code).toBe(0);
  const cancelled = await until(run.id, ({ state }) => state === 'CANCELLED');
  expect(cancelled.checkpoint?.step).toBe(cancelled.step);
  expect((await resim('runs', 'watch', run.id)).code).toBe(1);
  expect((await resim('runs', 'resume', run.id)).code).toBe(0);
  const resumed = await until(run.id, ({ step, state }) => state === 'RUNNING' && step > cancelled.step);
  expect(resumed.attempt).toBe(2);
  await client.cancelRun(run.id);
  await until(run.id, ({ state }) => state === 'CANCELLED');
});

test('a watcher sees every event once although the gateway is killed and started again', async () => {
  const run = await client.createRun({ recipeYaml: recipe(ENDLESS), images });
  const seen: RunEvent[] = [];
  let disconnected = 0;
  let reconnected = 0;
  let restarted = false;
  const watching = client.watchRun(run.id, {
    onDisconnect: () => (disconnected += 1),
    onReconnect: () => (reconnected += 1),
  });
  for await (const event of watching) {
    seen.push(event);
    if (event.kind !== 'metrics') continue;
    if (event.step === 3) await gateway.end('SIGKILL').then(() => gateway.start());
    if (reconnected > 0 && !restarted) {
      restarted = true;
      await client.cancelRun(run.id);
    }
  }
  expect(disconnected).toBe(1);
  expect(reconnected).toBe(1);
  expect(seen.map(({ sequence }) => sequence)).toEqual(
    (await eventsOf(run.id)).map(({ sequence }) => sequence),
  );
});

test('Ctrl-C leaves the run alone and says how to come back', async () => {
  const run = await client.createRun({ recipeYaml: recipe(ENDLESS), images });
  await until(run.id, ({ step }) => step >= 1);
  const env = { ...process.env, RESIM_GATEWAY_URL: url };
  const main = projectPath('dist/cli/main.js');
  const outcome = await new Promise<Outcome>((resolve) => {
    const child = execFile(
      process.execPath,
      [main, 'runs', 'watch', run.id],
      { env },
      (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
    child.stdout?.once('data', () => child.kill('SIGINT'));
  });
  expect(outcome.code).toBe(130);
  expect(outcome.stderr).toBe('');
  expect(outcome.stdout).toContain(`resim runs cancel ${run.id}`);
  expect((await client.getRun(run.id)).state).toBe('RUNNING');
  await client.cancelRun(run.id);
  await until(run.id, ({ state }) => state === 'CANCELLED');
});

test('the gateway ends with status 0 while a stream is open', async () => {
  const run = await client.createRun({ recipeYaml: recipe(ENDLESS), images });
  const response = await fetch(`${url}/v1/runs/${run.id}/events`);
  const reader = response.body!.getReader();
  await reader.read();
  expect(await gateway.end('SIGTERM')).toBe(0);
  await reader.cancel().catch(() => undefined);
  gateway.start();
  await ready(`${url}/readyz`, [service, gateway]);
  await client.cancelRun(run.id);
});
