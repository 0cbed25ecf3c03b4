import { type ChildProcess, fork } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ResimError } from '#libs/core';
import { openLog, tailOf } from './logs.js';

export interface ServiceOptions {
  name: string;
  /** Compiled file that is run. */
  script: string;
  env: NodeJS.ProcessEnv;
  logs: string;
  /** Whether it does its work by now; asked again and again. */
  ready: (child: ChildProcess) => Promise<boolean>;
  /** Something a person should know: it ended and is started again. */
  say: (line: string) => void;
  /** It cannot be kept running; everything should stop. */
  giveUp: (error: ResimError) => void;
}

const readyWithinMs = 60_000;
const stopWithinMs = 25_000;
/** Pauses before the starts that follow an unexpected end; beyond them it is given up. */
const backoffMs = [200, 1000, 3000, 6000];
/** After this long without an end the pauses begin anew. */
const calmMs = 120_000;

/**
 * A process of the suite, kept running. It is in a session of its own, so that Ctrl-C reaches the launcher alone and
 * things end in order; when the launcher is gone it sees its IPC channel closed and ends by itself.
 */
export class Service {
  readonly name: string;
  #child: ChildProcess | undefined;
  #stopping = false;
  #ends: number[] = [];

  constructor(private readonly options: ServiceOptions) {
    this.name = options.name;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** @throws ResimError FAILED_PRECONDITION with the end of its log when it ends or is not ready in time */
  async start(): Promise<void> {
    const { name, script, env, logs, ready } = this.options;
    const log = openLog(logs, name);
    const child = fork(script, [], {
      env,
      execArgv: ['--enable-source-maps'],
      stdio: ['ignore', log, log, 'ipc'],
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    let over = false;
    const ended = new Promise<void>((resolve) => {
      const end = (): void => {
        over = true;
        resolve();
      };
      child.once('exit', end).once('error', end);
    });
    const isOver = (): boolean => over || this.#stopping;

    const until = performance.now() + readyWithinMs;
    while (!isOver() && !(await ready(child))) {
      if (performance.now() > until) {
        child.kill('SIGKILL');
        throw this.#failure('was not ready within a minute');
      }
      await Promise.race([sleep(50), ended]);
    }
    if (this.#stopping) return;
    if (over) throw this.#failure(`ended while it started${howEnded(child)}`);
    void ended.then(() => this.#onEnd(child));
  }

  /** Asks it to end, insists after a while. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
    await exited;
    clearTimeout(timer);
  }

  /** Ends it at once. */
  kill(): void {
    this.#stopping = true;
    this.#child?.kill('SIGKILL');
  }

  async #onEnd(child: ChildProcess): Promise<void> {
    if (this.#stopping) return;
    const now = performance.now();
    if (now - (this.#ends.at(-1) ?? -Infinity) > calmMs) this.#ends = [];
    const pause = backoffMs[this.#ends.length];
    this.#ends.push(now);
    if (pause === undefined) {
      this.options.giveUp(this.#failure(`ended again and again${howEnded(child)}`));
      return;
    }
    this.options.say(`${this.name} ended${howEnded(child)}; it is started again`);
    await sleep(pause);
    if (this.#stopping) return;
    try {
      await this.start();
      if (!this.#stopping) this.options.say(`${this.name} runs again`);
    } catch (error) {
      if (!this.#stopping) this.options.giveUp(error as ResimError);
    }
  }

  #failure(what: string): ResimError {
    const { logs, name } = this.options;
    const tail = tailOf(logs, name);
    const log = `${logs}/${name}.log`;
    return new ResimError(
      'FAILED_PRECONDITION',
      `${name} ${what}. ${tail ? `The end of ${log}:\n${tail}` : `${log} is empty.`}`,
      {
        reason: 'SERVICE_ENDED',
      },
    );
  }
}

function howEnded(child: ChildProcess): string {
  if (child.signalCode !== null) return ` (${child.signalCode})`;
  return child.exitCode !== null ? ` (status ${child.exitCode})` : '';
}
