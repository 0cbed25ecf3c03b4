import { Command, InvalidArgumentError, Option } from 'commander';
import { hasEnded, type Run, type RunState, runStates } from '#libs/rest';
import { clientOf, type GatewayOptions, printJson, withGateway } from '../connection.js';
import { bytes, clock, duration, facts, figure, plain, share, table } from '../format.js';
import { watchUntilEnd } from './watching.js';

interface ListOptions extends GatewayOptions {
  group?: string;
  state?: RunState;
  limit: number;
}

export function runsCommand(): Command {
  const command = new Command('runs').description('list, show, watch, cancel and resume runs');
  withGateway(command.command('ls').description('list runs, newest first'))
    .option('--group <text>', 'only runs of this group')
    .addOption(new Option('--state <state>', 'only runs in this state').choices(runStates))
    .option('--limit <count>', 'at most so many', wholeNumber, 20)
    .action(list);
  withGateway(command.command('show <id>').description('everything about one run')).action(showOne);
  withGateway(command.command('watch <id>').description('show a run until it has ended')).action(watch);
  withGateway(command.command('cancel <id>').description('stop a run after the step under way')).action(
    cancel,
  );
  withGateway(command.command('resume <id>').description('go on with a run from its last checkpoint')).action(
    resume,
  );
  return command.addHelpText(
    'after',
    `
Examples:
  $ resim runs ls --state RUNNING
  $ resim runs show 6f1c... --json
  $ resim runs resume 6f1c... && resim runs watch 6f1c...`,
  );
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1000) {
    throw new InvalidArgumentError('It must be a whole number from 1 to 1000.');
  }
  return value;
}

async function list(options: ListOptions): Promise<void> {
  const { group, state, limit } = options;
  const page = await clientOf(options).listRuns({ pageSize: limit, group, state });
  if (options.json) return printJson(page);
  if (page.runs.length === 0) {
    process.stdout.write('no runs\n');
    return;
  }
  const rows = page.runs.map((run) => [
    run.id,
    plain(run.name) || '-',
    plain(run.recipe),
    run.state,
    steps(run),
    run.metrics.loss === undefined ? '-' : figure(run.metrics.loss),
    clock(run.createTime),
  ]);
  process.stdout.write(table(['ID', 'NAME', 'RECIPE', 'STATE', 'STEP', 'LOSS', 'CREATED'], rows));
  if (page.nextPageToken !== '') process.stdout.write('there are more: raise --limit\n');
}

async function showOne(id: string, options: GatewayOptions): Promise<void> {
  const client = clientOf(options);
  const [run, { checkpoints }] = await Promise.all([client.getRun(id), client.listCheckpoints(id)]);
  if (options.json) return printJson({ ...run, checkpoints });
  process.stdout.write(facts(factsOf(run)));
  const metrics = Object.entries(run.metrics);
  if (metrics.length > 0) {
    const rows = metrics.map(([key, value]) => [
      key,
      key.startsWith('accuracy/') || key.startsWith('valid/') ? share(value) : figure(value),
    ]);
    process.stdout.write(`\n${table(['METRIC', 'LATEST'], rows)}`);
  }
  if (checkpoints.length > 0) {
    const rows = checkpoints.map(({ step, epoch, sizeBytes, sha256, path }) => [
      String(step),
      String(epoch),
      bytes(sizeBytes),
      sha256.slice(0, 12),
      plain(path),
    ]);
    process.stdout.write(`\n${table(['CHECKPOINT', 'EPOCH', 'SIZE', 'SHA-256', 'FOLDER'], rows)}`);
  }
}

function factsOf(run: Run): [string, string][] {
  const all: [string, string][] = [
    ['run', run.id],
    ['name', plain(run.name)],
    ['group', plain(run.group)],
    ['state', run.state],
    ['error', plain(run.error)],
    ['recipe', plain(run.recipe)],
    ['images', plain(run.images)],
    ['seed', String(run.seed)],
    ['step', steps(run)],
    ['attempts', String(run.attempt)],
    ['created', clock(run.createTime)],
    ['started', clock(run.startTime)],
    ['ended', clock(run.endTime)],
  ];
  if (run.startTime !== null && run.endTime !== null) {
    all.push(['took', duration((Date.parse(run.endTime) - Date.parse(run.startTime)) / 1000)]);
  }
  return all.filter(([, value]) => value !== '' && value !== '-');
}

function steps(run: Run): string {
  return run.totalSteps > 0 ? `${run.step}/${run.totalSteps}` : String(run.step);
}

async function watch(id: string, options: GatewayOptions): Promise<void> {
  const client = clientOf(options);
  await watchUntilEnd(client, await client.getRun(id), options.json === true);
}

async function cancel(id: string, options: GatewayOptions): Promise<void> {
  const run = await clientOf(options).cancelRun(id);
  if (options.json) return printJson(run);
  const text = hasEnded(run.state) ? `is ${run.state}` : 'will stop after the step under way';
  process.stdout.write(`run ${run.id} ${text}\n`);
}

async function resume(id: string, options: GatewayOptions): Promise<void> {
  const run = await clientOf(options).resumeRun(id);
  if (options.json) return printJson(run);
  process.stdout.write(`run ${run.id} is queued again; watch it with \`resim runs watch ${run.id}\`\n`);
}
