import pg from 'pg';
import { showRun } from '../../cli/live.js';
import { type Checkpoint, GatewayClient, type Run } from '#libs/rest';
import { ResimError } from '#libs/core';

export interface Demonstration {
  run: Run;
  checkpoint: Checkpoint | null;
  /** Per series the mean of its first and of its last steps. */
  change: Record<string, { first: number; last: number }>;
  imagesPerSecond: number | undefined;
  /** Rows of this run in the database. */
  rows: { runs: number; metrics: number; checkpoints: number };
}

export interface DemonstrationOptions {
  url: string;
  databaseUrl: string;
  recipe: string;
  set: string[];
  images: string;
  out: NodeJS.WriteStream;
  signal: AbortSignal;
}

/** Runs that `npm start` makes are grouped, so that an interrupted one is found again. */
const group = 'npm start';

/** A run of an earlier start that was interrupted and that the service goes on with by itself. */
async function interrupted(client: GatewayClient, recipe: string, images: string): Promise<Run | undefined> {
  const { runs } = await client.listRuns({ group });
  return runs.find(
    (run) =>
      (run.state === 'PENDING' || run.state === 'RUNNING') && run.recipe === recipe && run.images === images,
  );
}

/** Mean over as many steps at each end as make a single step's noise small; one step of a short series. */
function ends(values: number[]): { first: number; last: number } {
  const count = Math.max(1, Math.floor(values.length / 10));
  const mean = (part: number[]): number => part.reduce((sum, value) => sum + value, 0) / part.length;
  return { first: mean(values.slice(0, count)), last: mean(values.slice(-count)) };
}

async function rowsOf(databaseUrl: string, id: string): Promise<Demonstration['rows']> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<Demonstration['rows']>(
      `select (select count(*)::int from run where id = $1) as runs,
              (select count(*)::int from metric where run_id = $1) as metrics,
              (select count(*)::int from checkpoint where run_id = $1) as checkpoints`,
      [id],
    );
    return rows[0]!;
  } finally {
    await client.end();
  }
}

/**
 * One pre-training run through the gateway, shown live until it has ended, and what it left behind.
 * @returns undefined when `signal` fired first; the run goes on when the suite is started again
 * @throws ResimError what the gateway refused, or that no data could be read
 */
export async function demonstrate(options: DemonstrationOptions): Promise<Demonstration | undefined> {
  const { url, databaseUrl, recipe, set, images, out, signal } = options;
  const client = new GatewayClient(url);
  let run = set.length === 0 ? await interrupted(client, recipe, images) : undefined;
  if (run) out.write('Going on with the run that was interrupted\n');
  run ??= await client.createRun({ recipe, overrides: set, images, group, name: `${recipe} demonstration` });
  run = await showRun({ client, run, out, signal });
  if (signal.aborted) return undefined;

  const [{ series }, { checkpoints }, rows] = await Promise.all([
    client.getMetrics(run.id),
    client.listCheckpoints(run.id),
    rowsOf(databaseUrl, run.id),
  ]);
  const numbers = new Map(
    series.map(({ key, points }) => [key, points.map(({ value }) => Number(value)).filter(Number.isFinite)]),
  );
  const change = Object.fromEntries(
    [...numbers]
      .filter(([key, values]) => values.length > 0 && (key === 'loss' || /^(loss|accuracy)\//.test(key)))
      .map(([key, values]) => [key, ends(values)]),
  );
  const pace = numbers.get('imagesPerSecond') ?? [];
  const imagesPerSecond =
    pace.length > 0 ? pace.reduce((sum, value) => sum + value, 0) / pace.length : undefined;
  return { run, checkpoint: checkpoints[0] ?? null, change, imagesPerSecond, rows };
}

/** @throws ResimError when the run did not succeed or left less than a run leaves */
export function checkDemonstration({ run, checkpoint, rows }: Demonstration): void {
  const missing =
    run.state !== 'SUCCEEDED'
      ? `the run ended as ${run.state}${run.error ? `: ${run.error}` : ''}`
      : !checkpoint
        ? 'the run left no checkpoint'
        : rows.runs !== 1 || rows.metrics === 0 || rows.checkpoints === 0
          ? 'the database has no complete record of the run'
          : undefined;
  if (missing)
    throw new ResimError('INTERNAL', `the demonstration failed: ${missing}`, {
      reason: 'DEMONSTRATION_FAILED',
    });
}
