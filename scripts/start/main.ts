import { ResimError } from '#libs/core';
import { checkDemonstration, type Demonstration, demonstrate } from './demonstration.js';
import { type StartOptions, startOptions } from './options.js';
import { sampleImages } from './scenes.js';
import { SuiteStarter } from './suite.js';
import { resultTable, whereToLook } from './table.js';

/** A second Ctrl-C within this time is the same one, passed on by npm; later it means: at once. */
const sameSignalMs = 1000;

const leaving = new AbortController();
let leavingSince = 0;
let suite: SuiteStarter | undefined;
let failure: unknown;

function leave(signal: string): void {
  if (!leaving.signal.aborted) {
    leavingSince = performance.now();
    leaving.abort(signal);
  } else if (signal === 'SIGINT' && performance.now() - leavingSince > sameSignalMs) {
    suite?.kill();
    process.exit(130);
  }
}

function fail(error: unknown): void {
  failure ??= error;
  leave('failure');
}

/** Resolves when it is time to end. */
function untilLeaving(): Promise<void> {
  return new Promise((resolve) => {
    if (leaving.signal.aborted) resolve();
    else leaving.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function report(
  options: StartOptions,
  running: SuiteStarter,
  demonstration: Demonstration | undefined,
): void {
  const out = options.json ? process.stderr : process.stdout;
  if (demonstration) out.write(`\nResult\n${resultTable(demonstration)}\n`);
  out.write(`\nWhere to look\n${whereToLook(running.url, running.databaseUrlFile)}\n`);
  if (!options.json) return;
  const { url, databaseUrlFile, processes } = running;
  process.stdout.write(`${JSON.stringify({ url, databaseUrlFile, processes, ...demonstration })}\n`);
}

async function serve(options: StartOptions): Promise<void> {
  const out = options.json ? process.stderr : process.stdout;
  const say = (line: string): void => void out.write(`${line}\n`);
  suite = new SuiteStarter(options, { say, giveUp: fail });
  say('Starting PostgreSQL, the pre-training service and the gateway');
  await suite.start(leaving.signal);
  if (leaving.signal.aborted) return;
  say(`Running at ${suite.url}`);

  let demonstration: Demonstration | undefined;
  if (options.run) {
    const images = options.images ?? (await sampleImages(options.state, say, leaving.signal));
    const { url, databaseUrl } = suite;
    demonstration = await demonstrate({ ...options, url, databaseUrl, images, out, signal: leaving.signal });
    if (leaving.signal.aborted) return;
  }
  report(options, suite, demonstration);
  if (demonstration) {
    try {
      checkDemonstration(demonstration);
    } catch (error) {
      if (options.exit) throw error;
      say(`\n${(error as Error).message}`);
    }
  }
  if (options.exit) return;
  say('\nServing until Ctrl-C');
  await untilLeaving();
}

/** What the user reads of an error: a sentence, and a stack only where it is a defect of ours. */
function textOf(error: unknown): string {
  return error instanceof ResimError
    ? error.message
    : error instanceof Error
      ? (error.stack ?? error.message)
      : String(error);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => leave(signal));
process.once('disconnect', () => leave('disconnect'));
process.channel?.unref();
// A closed terminal or pipe must not keep the rest from ending in order.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => leave('SIGHUP'));

try {
  await serve(startOptions(process.argv.slice(2), process.env));
} catch (error) {
  // What breaks because everything is being stopped is no news.
  if (!leaving.signal.aborted) failure ??= error;
}
if (failure !== undefined) process.stderr.write(`\n${textOf(failure)}\n`);
else if (leaving.signal.aborted) process.stderr.write('\nStopping\n');
await suite?.stop();
process.exit(failure !== undefined ? 1 : leaving.signal.reason === 'SIGINT' ? 130 : 0);
