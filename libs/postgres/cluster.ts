import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chownSync, chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ResimError } from '#libs/core';
import { type Account, serverAccount } from './account.js';
import { dataFolder, makeWhole, programs } from './places.js';
import { isReady, stopLeftover } from './postmaster.js';

export interface ClusterOptions {
  /** Data folder that is wanted; made when missing. */
  directory: string;
  /** TCP port on 127.0.0.1; must be free. */
  port: number;
  /** Of the user `resim`. @default a secret that is made once and lies beside the data folder */
  password?: string;
  /** Descriptor that the server's log goes to. @default none */
  log?: number;
}

/** A PostgreSQL server that is a child of this process. */
export interface Cluster {
  /** Of the database `resim`. */
  url: string;
  /** Data folder in use: elsewhere than wanted when the server's user could not reach that. */
  directory: string;
  /** Whether a server left from a crash was stopped first. */
  leftover: boolean;
  /** Resolves when the server has ended, for whatever reason. */
  ended: Promise<void>;
  /** Ends every connection and process at once, as a crash would; the next start recovers from the log. */
  crash(): Promise<void>;
  /** Resolves when no client has been connected for a second, or after so many milliseconds. */
  untilUnused(patienceMs: number): Promise<void>;
  /** Fast shutdown: clients are cut off, nothing that was committed is lost. */
  stop(): Promise<void>;
}

const userAndDatabase = 'resim';

/** A secret that is made once and can be read by this user alone. It lies where the data lies, so that both go together. */
function secretBeside(data: string): string {
  const file = join(dirname(data), 'postgres.password');
  if (!existsSync(file))
    writeFileSync(file, randomBytes(24).toString('base64url'), { mode: 0o600, flag: 'wx' });
  return readFileSync(file, 'utf8').trim();
}

/** `initdb` into a folder that appears only when it is complete. */
function initialise(bin: string, data: string, password: string, account: Account): void {
  const secret = mkdtempSync(join(tmpdir(), 'resim-postgres-'));
  const passwordFile = join(secret, 'password');
  try {
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    if (account.uid !== undefined) {
      chownSync(secret, account.uid, account.gid!);
      chownSync(passwordFile, account.uid, account.gid!);
    }
    makeWhole(data, (folder) => {
      chmodSync(folder, 0o700);
      if (account.uid !== undefined) chownSync(folder, account.uid, account.gid!);
      // The built-in locale is the same on every machine; the system's may be missing or change with an update.
      const locale = [
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
      ];
      const access = [`--username=${userAndDatabase}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
      const { status, stderr, error } = spawnSync(join(bin, 'initdb'), ['-D', folder, ...access, ...locale], {
        ...account,
        cwd: '/',
        encoding: 'utf8',
        env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
      });
      if (status !== 0) {
        throw new ResimError(
          'FAILED_PRECONDITION',
          `a new PostgreSQL data folder could not be made at ${data}: ${(error?.message ?? stderr).trim()}`,
          { reason: 'POSTGRES_INITDB' },
        );
      }
    });
  } finally {
    rmSync(secret, { recursive: true, force: true });
  }
}

function checkVersion(bin: string, data: string): void {
  const version = /(\d+)\.\d+/.exec(
    spawnSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' }).stdout,
  )?.[1];
  const stored = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  if (version !== stored) {
    throw new ResimError(
      'FAILED_PRECONDITION',
      `${data} was written by PostgreSQL ${stored}, the installed one is ${version}: move the folder away, or set DATABASE_URL to a server of that version`,
      { reason: 'POSTGRES_VERSION' },
    );
  }
}

/** The kernel itself tells the server when this process ends, so that even kill -9 leaves no server behind. */
function withParentDeathSignal(command: string[]): string[] {
  const able =
    process.platform === 'linux' && spawnSync('setpriv', ['--pdeathsig', 'INT', 'true']).status === 0;
  return able ? ['setpriv', '--pdeathsig', 'INT', ...command] : command;
}

function spawnServer(
  bin: string,
  data: string,
  port: number,
  log: number | undefined,
  account: Account,
): ChildProcess {
  const settings = {
    listen_addresses: '127.0.0.1',
    // A socket file's path has a length limit that a deep folder exceeds.
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    lc_messages: 'C',
    log_checkpoints: 'off',
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const [command, ...args] = withParentDeathSignal([
    join(bin, 'postgres'),
    '-D',
    data,
    '-p',
    String(port),
    ...flags,
  ]);
  return spawn(command!, args, {
    ...account,
    cwd: '/',
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', log ?? 'ignore', log ?? 'ignore'],
    // In a session of its own, or Ctrl-C in the terminal would stop it under the services' feet.
    detached: true,
  });
}

async function ensureDatabase(server: { port: number; password: string }): Promise<void> {
  const client = new pg.Client({ host: '127.0.0.1', user: userAndDatabase, database: 'postgres', ...server });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [
      userAndDatabase,
    ]);
    if (rowCount === 0) await client.query(`create database ${userAndDatabase}`);
  } finally {
    await client.end();
  }
}

async function untilUnused(url: string, patienceMs: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  const others = `select 1 from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`;
  const until = performance.now() + patienceMs;
  // A pool closes a connection and opens another: one look is not enough.
  for (let quiet = 0; quiet < 5 && performance.now() < until; await sleep(200)) {
    quiet = (await client.query(others)).rowCount === 0 ? quiet + 1 : 0;
  }
  await client.end();
}

/**
 * Starts a real PostgreSQL server on 127.0.0.1 with a database `resim`, making its data folder when there is none.
 * @throws ResimError FAILED_PRECONDITION with what is missing or in the way
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { directory, port, log } = options;
  const account = serverAccount();
  const bin = programs(account);
  const data = dataFolder(directory, account);
  const password = options.password ?? secretBeside(data);
  const leftover = await stopLeftover(data);
  if (!existsSync(join(data, 'PG_VERSION'))) initialise(bin, data, password, account);
  checkVersion(bin, data);

  const server = spawnServer(bin, data, port, log, account);
  let running = true;
  const ended = new Promise<void>((resolve) => {
    const over = (): void => {
      running = false;
      resolve();
    };
    server.once('exit', over).once('error', over);
  });
  const stop = async (): Promise<void> => {
    if (!running) return;
    server.kill('SIGINT');
    const patient = new AbortController();
    const inTime = await Promise.race([
      ended.then(() => true),
      sleep(15_000, false, { signal: patient.signal }).catch(() => false),
    ]);
    patient.abort();
    if (!inTime) server.kill('SIGQUIT');
    await ended;
  };
  const crash = async (): Promise<void> => {
    server.kill('SIGQUIT');
    await ended;
  };
  while (running && !isReady(data, server.pid)) await sleep(20);
  if (!running) {
    throw new ResimError('FAILED_PRECONDITION', `PostgreSQL on ${data} ended while it started`, {
      reason: 'POSTGRES_START',
    });
  }
  try {
    await ensureDatabase({ port, password });
  } catch (cause) {
    await stop();
    throw new ResimError(
      'FAILED_PRECONDITION',
      `PostgreSQL on ${data} refuses: ${(cause as Error).message}`,
      {
        reason: 'POSTGRES_START',
        cause,
      },
    );
  }
  const url = `postgres://${userAndDatabase}:${encodeURIComponent(password)}@127.0.0.1:${port}/${userAndDatabase}`;
  return {
    url,
    directory: data,
    leftover,
    ended,
    crash,
    stop,
    untilUnused: (patienceMs) => untilUnused(url, patienceMs),
  };
}
