import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Cluster, startCluster } from './cluster.js';

let folder: string;
let clusters: Cluster[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'resim-cluster-'));
  chmodSync(folder, 0o711);
});
afterEach(async () => {
  await Promise.all(clusters.map((cluster) => cluster.stop()));
  clusters = [];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

/** A cluster in a folder that the server's user reaches whoever runs the tests. */
async function start(): Promise<Cluster> {
  const cluster = await startCluster({
    directory: join(folder, 'data'),
    port: await freePort(),
    password: 'a/b c',
  });
  clusters.push(cluster);
  return cluster;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows as unknown[];
  } finally {
    await client.end();
  }
}

const postmaster = (cluster: Cluster) =>
  Number(readFileSync(join(cluster.directory, 'postmaster.pid'), 'utf8').split('\n')[0]);

const lives = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

it('keeps what was committed over a stop and over a kill -9 of the server', async () => {
  const first = await start();
  await query(first.url, 'create table kept (x int)');
  await query(first.url, 'insert into kept values (1)');
  await first.stop();

  const second = await start();
  await query(second.url, 'insert into kept values (2)');
  process.kill(postmaster(second), 'SIGKILL');
  await second.ended;

  const third = await start();
  expect(await query(third.url, 'select x from kept order by x')).toEqual([{ x: 1 }, { x: 2 }]);
});

it('refuses a wrong password', async () => {
  const { url } = await start();
  await expect(query(url.replace('a%2Fb%20c', 'guess'), 'select 1')).rejects.toThrow(/password/);
});

it('starts over a process number in postmaster.pid that belongs to somebody else', async () => {
  const cluster = await start();
  await cluster.stop();
  const stranger = spawn('sleep', ['60']);
  try {
    writeFileSync(join(cluster.directory, 'postmaster.pid'), `${stranger.pid}\n${cluster.directory}\n`);
    const again = await start();
    expect(await query(again.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(lives(stranger.pid!)).toBe(true);
  } finally {
    stranger.kill();
  }
});

it('stops a server that was left on its data folder, then starts', async () => {
  const left = await start();
  const pid = postmaster(left);
  const again = await start();
  expect(again.leftover).toBe(true);
  expect(lives(pid)).toBe(false);
  expect(await query(again.url, 'select 1 as one')).toEqual([{ one: 1 }]);
});

it.skipIf(process.getuid?.() !== 0)(
  'finds another place for the data when the user of the server cannot enter the wanted one',
  async () => {
    const closed = mkdtempSync(join(tmpdir(), 'resim-closed-'));
    const cluster = await startCluster({
      directory: join(closed, 'data'),
      port: await freePort(),
      password: 'p',
    });
    try {
      expect(cluster.directory).toMatch(/^\/var\/lib\/resim-suite\//);
      expect(await query(cluster.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    } finally {
      await cluster.stop();
      rmSync(dirname(cluster.directory), { recursive: true });
      rmSync(closed, { recursive: true });
    }
  },
);
