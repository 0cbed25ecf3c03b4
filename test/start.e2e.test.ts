import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { projectPath } from '#libs/core';
import { startCluster } from '#libs/postgres';
import { readHeader } from '#libs/tensor/safetensors';
import { GatewayClient } from '#libs/rest';

/** Sixteen small images, a state folder of its own, and a run of a few steps: the product as a user starts it. */
const folder = mkdtempSync(join(tmpdir(), 'resim-start-'));
const state = join(folder, 'state');
const images = join(folder, 'scenes', 'JPEGImages');
let port: number;
let launched: ChildProcess | undefined;

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address() as { port: number };
      server.close(() => resolve(address.port));
    });
  });

beforeAll(async () => {
  // The server's user, when the tests run as root, must be able to enter.
  chmodSync(folder, 0o711);
  execFileSync(process.execPath, [
    projectPath('dist/cli/main.js'),
    'scenes',
    '--out',
    join(folder, 'scenes'),
    '--count',
    '16',
  ]);
  port = await freePort();
});
afterEach(() => {
  if (launched?.exitCode === null) launched.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Launch {
  child: ChildProcess;
  stdout: () => string;
  /** Resolves when the text was printed. */
  printed: (text: string | RegExp) => Promise<void>;
  ended: Promise<number | string | null>;
}

/** `npm start -- …` in a process group of its own, as a terminal would run it. */
function npmStart(...args: string[]): Launch {
  const env = { ...process.env, RESIM_STATE_DIR: state, DATABASE_URL: '', CI: '1' };
  const child = spawn('npm', ['start', '--', '--port', String(port), '--images', images, ...args], {
    cwd: projectPath(),
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  launched = child;
  let stdout = '';
  let all = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    all += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => (all += chunk.toString()));
  const ended = new Promise<number | string | null>((resolve) => {
    child.once('close', (status, signal) => resolve(status ?? signal));
  });
  let over = false;
  void ended.then(() => (over = true));
  const printed = async (text: string | RegExp): Promise<void> => {
    while (!(typeof text === 'string' ? all.includes(text) : text.test(all))) {
      if (over) throw new Error(`it ended without saying ${text}:\n${all}`);
      await sleep(50);
    }
  };
  return { child, stdout: () => stdout, printed, ended };
}

/** Processes of this test's suite: they carry the state folder in their environment or their arguments. */
function processesLeft(): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        const text = command + readFileSync(`/proc/${pid}/environ`, 'utf8');
        return text.includes(state) ? [{ pid: Number(pid), command }] : [];
      } catch {
        return [];
      }
    });
}

async function nothingLeft(): Promise<void> {
  while (processesLeft().length > 0) await sleep(100);
}

/** Asks the database after everything has ended, with a server that this test starts on its folder. */
async function stored<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
  const cluster = await startCluster({ directory: join(state, 'postgres'), port: await freePort() });
  try {
    expect(cluster.leftover).toBe(false);
    const client = new pg.Client({ connectionString: cluster.url });
    await client.connect();
    const { rows } = await client.query<Row>(sql);
    await client.end();
    return rows;
  } finally {
    await cluster.stop();
  }
}

const steps = (count: number) => [
  '--set',
  'train.batchSize=8',
  '--set',
  'train.epochs=100000',
  '--set',
  `train.maxSteps=${count}`,
];

it('trains, records the run and ends with status 0, leaving nothing running', async () => {
  const launch = npmStart('--exit', '--json', ...steps(4));
  expect(await launch.ended).toBe(0);
  await nothingLeft();

  const result = JSON.parse(launch.stdout().trim().split('\n').at(-1)!) as {
    run: { id: string; state: string; step: number };
    checkpoint: { path: string; sha256: string };
    rows: { metrics: number };
  };
  expect(result.run).toMatchObject({ state: 'SUCCEEDED', step: 4 });
  const rows = await stored<{ id: string; state: string; losses: number; sha256: string }>(`
    select run.id, run.state, checkpoint.sha256,
      (select count(*)::int from metric join metric_key on metric_key.id = metric.key_id
       where metric.run_id = run.id and metric_key.name = 'loss') as losses
    from run join checkpoint on checkpoint.run_id = run.id order by checkpoint.step desc limit 1`);
  expect(rows).toEqual([
    { id: result.run.id, state: 'SUCCEEDED', losses: 4, sha256: result.checkpoint.sha256 },
  ]);
  const model = readHeader(join(result.checkpoint.path, 'model.safetensors'));
  expect([...model.tensors.keys()].some((name) => name.endsWith('conv1.weight'))).toBe(true);
});

it('starts a killed service again, and stops everything in order at Ctrl-C; the run goes on at the next start', async () => {
  const first = npmStart(...steps(100_000));
  await first.printed(/step \d+\/100000/);
  const gateway = processesLeft().find(({ command }) => command.includes('services/gateway/main.js'))!;
  process.kill(gateway.pid, 'SIGKILL');
  await first.printed('gateway runs again');
  process.kill(-first.child.pid!, 'SIGINT');
  await first.ended;
  await nothingLeft();

  const second = npmStart('--no-run');
  await second.printed('Serving until Ctrl-C');
  const client = new GatewayClient(`http://127.0.0.1:${port}`);
  const [run] = (await client.listRuns({ group: 'npm start' })).runs;
  expect(run?.totalSteps).toBe(100_000);
  while ((await client.getRun(run!.id)).state !== 'RUNNING') await sleep(100);
  await client.cancelRun(run!.id);
  while ((await client.getRun(run!.id)).state !== 'CANCELLED') await sleep(100);
  process.kill(-second.child.pid!, 'SIGTERM');
  await second.ended;
  await nothingLeft();
});

it('leaves nothing running and a sound database when the launcher is killed with kill -9', async () => {
  const launch = npmStart(...steps(100_000));
  await launch.printed(/step \d+\/100000/);
  const launcher = processesLeft().find(({ command }) => command.includes('scripts/start/main.js'))!;
  process.kill(launcher.pid, 'SIGKILL');
  await launch.ended;
  await nothingLeft();
  expect(await stored('select 1 as one')).toEqual([{ one: 1 }]);
});

it('leaves nothing running when npm itself is killed with kill -9', async () => {
  const launch = npmStart('--no-run');
  await launch.printed('Serving until Ctrl-C');
  process.kill(launch.child.pid!, 'SIGKILL');
  await nothingLeft();
  expect(existsSync(join(state, 'postgres', 'postmaster.pid'))).toBe(false);
});

it('names a port that is in use', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  const launch = npmStart('--exit');
  await launch.printed(`port ${port} is in use by another program`);
  expect(await launch.ended).toBe(1);
  await nothingLeft();
  server.close();
});
