import { type ChildProcess, fork } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, pause } from '#libs/core';
import { startOf } from './owner.js';
import type { RankFailure, RankJob, RankMessage, RunReport, SupervisorMessage } from './rank/index.js';

/** How a rank process ended. */
export type Outcome =
  | { kind: 'finished'; state: 'SUCCEEDED' | 'CANCELLED' }
  | { kind: 'failed'; failure: RankFailure }
  /** Without a word: killed, or a crash of native code. */
  | { kind: 'crashed'; reason: string };

export interface SuperviseOptions {
  /** Program of the rank, built JavaScript that calls `runRank`. */
  module: string;
  job: RankJob;
  /** Takes a report over; while it has not resolved, the rank may run ahead by a bounded number of reports only. */
  onReport: (report: RunReport) => Promise<void>;
  logger: Logger;
}

export interface Supervised {
  readonly pid: number;
  /** Asks it to write a checkpoint and end. */
  stop(): void;
  /** Ends it at once. */
  kill(): void;
  /** Resolves when the process is gone and everything it said has been taken over. */
  readonly ended: Promise<Outcome>;
}

/** Starts a rank process and listens to it. It ends when this process does. */
export async function supervise(options: SuperviseOptions): Promise<Supervised> {
  const { module, job, onReport, logger } = options;
  const child = fork(module, [], {
    serialization: 'advanced',
    // What it prints belongs to the log; nothing of this process's own command line applies to it.
    stdio: ['ignore', 2, 2, 'ipc'],
    execArgv: ['--enable-source-maps'],
  });
  const say = (message: SupervisorMessage): void => {
    if (child.connected) child.send(message, () => {});
  };
  let outcome: Outcome | undefined;
  let taken: Promise<void> = Promise.resolve();
  child.on('message', (message: RankMessage) => {
    switch (message.type) {
      case 'ready':
        return say({ type: 'start', job });
      case 'finished':
        outcome = { kind: 'finished', state: message.state };
        return;
      case 'failed':
        outcome = { kind: 'failed', failure: message.failure };
        return;
      case 'report':
        taken = taken.then(() => onReport(message.report)).then(() => say({ type: 'ack' }));
        // Whoever reports cannot be told; the one who takes over has ended the process by then.
        taken.catch(() => {});
    }
  });
  const ended = (async (): Promise<Outcome> => {
    const reason = await gone(child);
    await taken.catch(() => {});
    return outcome ?? { kind: 'crashed', reason };
  })();
  const pid = child.pid ?? 0;
  if (pid !== 0) await writeFile(pidFile(job.directory), JSON.stringify({ pid, start: startOf(pid) }));
  logger.info({ rank: pid, runId: job.runId }, 'a rank process was started');
  return {
    pid,
    stop: () => say({ type: 'stop' }),
    kill: () => void child.kill('SIGKILL'),
    ended,
  };
}

/** Resolves when a child has ended and its channel is read to the end, with how it ended. */
async function gone(child: ChildProcess): Promise<string> {
  const channelRead = new Promise<void>((resolve) => {
    child.once('disconnect', () => resolve());
    child.once('error', () => resolve());
  });
  const reason = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`the process did not start: ${error.message}`));
    child.once('exit', (code, signal) => {
      resolve(
        signal === null ? `the process ended with status ${code}` : `the process was killed by ${signal}`,
      );
    });
  });
  await channelRead;
  return reason;
}

function pidFile(directory: string): string {
  return join(directory, 'rank.json');
}

/**
 * Ends a rank process that an earlier supervisor has left in this folder. It would have ended by itself, but may be
 * held up (stopped by a signal, deep in a native call), and two of them must not write the same checkpoints.
 */
export async function endStaleRank(directory: string, logger: Logger): Promise<void> {
  const text = await readFile(pidFile(directory), 'utf8').catch(() => undefined);
  if (text === undefined) return;
  let stale: { pid: number; start?: string };
  try {
    stale = JSON.parse(text) as typeof stale;
  } catch {
    return;
  }
  const alive = (): boolean => stale.start !== undefined && startOf(stale.pid) === stale.start;
  if (!alive()) return;
  logger.warn({ rank: stale.pid, directory }, 'a rank process without a supervisor is ended');
  process.kill(stale.pid, 'SIGKILL');
  for (let waited = 0; alive() && waited < 10_000; waited += 20) await pause(20);
}
