import { type GatewayClient, hasEnded, type Run, type RunEvent } from '#libs/rest';
import { bar, bytes, duration, figure, plain } from './format.js';
import { RunProgress } from './progress.js';

/** Milliseconds between two drawings of the live line, and between two plain lines of figures. */
const REDRAW_MS = 100;
const PLAIN_MS = 5_000;

export interface ShowRunOptions {
  client: GatewayClient;
  /** The run as it was created or last seen. */
  run: Run;
  /** Where it is shown; a terminal gets one live line below the lines that stay. */
  out: NodeJS.WriteStream;
  /** Ends the showing; the run goes on. */
  signal?: AbortSignal;
}

/**
 * Shows a run until it has ended: its states, checkpoints and warnings as lines, its figures as one live line on a
 * terminal or as a line every few seconds elsewhere. Goes on by itself after a restart of the gateway.
 *
 * @returns the run as last seen; it has not ended when `signal` fired
 * @throws ResimError when there is no such run, or no gateway for longer than two minutes
 */
export async function showRun({ client, run, out, signal }: ShowRunOptions): Promise<Run> {
  const progress = new RunProgress(run);
  const screen = new Screen(out);
  screen.say(`run ${run.id}  ${plain(run.recipe)}  on ${plain(run.images)}`);
  const events = client.watchRun(run.id, {
    afterStep: run.step,
    signal,
    onDisconnect: () => screen.say('the connection to the gateway is lost; trying again'),
    onReconnect: () => screen.say('connected again'),
  });
  let state = '';
  try {
    for await (const event of events) {
      progress.apply(event);
      const line = lineOf(event, state);
      if (event.kind === 'run') state = stateOf(event.run);
      if (line !== undefined) screen.say(line);
      screen.figures(progress, event.kind === 'metrics');
    }
    if (!signal?.aborted) progress.run = await client.getRun(run.id);
  } finally {
    screen.clear();
  }
  if (hasEnded(progress.run.state)) screen.say(summary(progress.run, progress));
  return progress.run;
}

function stateOf(run: Run): string {
  return run.attempt > 1 ? `${run.state}, attempt ${run.attempt}` : run.state;
}

/** The line that stays of an event, if it is worth one. */
function lineOf(event: RunEvent, shownState: string): string | undefined {
  if (event.kind === 'warning') return `warning: ${plain(event.message)}`;
  if (event.kind === 'checkpoint')
    return `checkpoint at step ${event.checkpoint.step}: ${plain(event.checkpoint.path)}`;
  if (event.kind === 'run' && !hasEnded(event.run.state) && stateOf(event.run) !== shownState) {
    return stateOf(event.run);
  }
  return undefined;
}

/** What a person wants to know of a run that has ended. */
function summary(run: Run, progress: RunProgress): string {
  const took =
    run.startTime !== null && run.endTime !== null
      ? ` after ${duration((Date.parse(run.endTime) - Date.parse(run.startTime)) / 1000)}`
      : '';
  const lines = [
    `${run.state}${took}, ${run.step}${run.totalSteps > 0 ? ` of ${run.totalSteps}` : ''} steps`,
  ];
  const { loss } = progress.values;
  if (loss !== undefined) lines.push(`loss ${figure(loss)}`);
  if (progress.accuracyText !== '') lines.push(progress.accuracyText);
  if (run.error !== '') lines.push(plain(run.error));
  if (run.checkpoint) {
    lines.push(`checkpoint ${plain(run.checkpoint.path)} (${bytes(run.checkpoint.sizeBytes)})`);
  }
  return lines.join('\n  ');
}

/** Lines that stay and, on a terminal, one below them that is drawn again and again. */
class Screen {
  readonly #live: boolean;
  #drawn = false;
  #lastFigures = -Infinity;

  constructor(private readonly out: NodeJS.WriteStream) {
    this.#live = out.isTTY === true && process.env.TERM !== 'dumb' && process.env.CI === undefined;
  }

  say(line: string): void {
    this.clear();
    this.out.write(`${line}\n`);
  }

  /** @param fresh whether the figures are new, and not only the line below a new one */
  figures({ line, done }: RunProgress, fresh: boolean): void {
    const now = performance.now();
    if (this.#live) {
      if (this.#drawn && now - this.#lastFigures < REDRAW_MS) return;
      this.out.write(`\r\x1b[K${fit(line, done, (this.out.columns || 80) - 1)}`);
      this.#drawn = true;
    } else {
      if (!fresh || now - this.#lastFigures < PLAIN_MS) return;
      this.out.write(`${line}\n`);
    }
    this.#lastFigures = now;
  }

  clear(): void {
    if (this.#drawn) this.out.write('\r\x1b[K');
    this.#drawn = false;
  }
}

const BAR = 20;

/** The line within the width of the terminal, with a bar before it where there is room for one. */
function fit(line: string, done: number, width: number): string {
  if (line.length + BAR + 2 <= width) return `${bar(done, BAR)}  ${line}`;
  return line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line;
}
