import { GatewayClient, hasEnded, type Run } from '#libs/rest';
import { printJson } from '../connection.js';
import { Interrupted, Unsuccessful } from '../exit.js';
import { showRun } from '../live.js';

/**
 * Shows a run until it has ended or a person presses Ctrl-C, which leaves the run alone.
 *
 * @throws Interrupted after Ctrl-C; Unsuccessful when the run has not succeeded
 */
export async function watchUntilEnd(client: GatewayClient, run: Run, json: boolean): Promise<void> {
  const leave = new AbortController();
  const interrupt = (): void => leave.abort();
  process.once('SIGINT', interrupt);
  let last: Run;
  try {
    last = json
      ? await waitFor(client, run, leave.signal)
      : await showRun({ client, run, out: process.stdout, signal: leave.signal });
  } finally {
    process.off('SIGINT', interrupt);
  }
  if (json) printJson(last);
  if (!hasEnded(last.state)) {
    if (!json) {
      process.stdout.write(
        `Left; the run goes on. Watch it again with \`resim runs watch ${run.id}\`, ` +
          `stop it with \`resim runs cancel ${run.id}\`.\n`,
      );
    }
    throw new Interrupted();
  }
  if (last.state !== 'SUCCEEDED') throw new Unsuccessful();
}

async function waitFor(client: GatewayClient, run: Run, signal: AbortSignal): Promise<Run> {
  // Only the end of the events counts here: no figure is asked for.
  for await (const _ of client.watchRun(run.id, { afterStep: Number.MAX_SAFE_INTEGER, signal }));
  return client.getRun(run.id);
}
