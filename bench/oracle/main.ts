import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ResimError } from '#libs/core';
import { setThreads } from '#libs/tensor';
import { passes, type Comparison } from './comparison.js';
import { Fixture } from './fixture.js';
import { prRoICase } from './prroi-case.js';
import { stepCase } from './step-case.js';
import { viewsCase } from './views-case.js';
import { windowsCase } from './windows-case.js';

/**
 * Replays recorded cases of the reference tools and says how far ours is from them.
 *
 *   npm run -s oracle -- CASE… [--json] [--verbose]
 *
 * A case is the JSON header beside its `.bin`, or a folder of such. Exit status 1 when a tolerance is exceeded.
 */

/** The kinds of cases, told apart by what their headers hold. A new kind is a file beside these and a row here. */
const KINDS: {
  name: string;
  holds: string[];
  replay: (fixture: Fixture<never>) => Comparison[] | Promise<Comparison[]>;
}[] = [
  { name: 'training step', holds: ['steps', 'bn_layout'], replay: stepCase as never },
  { name: 'PrRoI pooling', holds: ['cases', 'tensors'], replay: prRoICase as never },
  { name: 'aligned windows', holds: ['configs', 'pair_columns'], replay: windowsCase as never },
  { name: 'views', holds: ['resized_crops', 'operations'], replay: viewsCase as never },
];

function headersOf(path: string): string[] {
  if (!existsSync(path)) throw new ResimError('NOT_FOUND', `there is no ${path}`);
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

export interface CaseResult {
  case: string;
  kind: string;
  passed: boolean;
  comparisons: Comparison[];
}

/** Replays one case. @throws ResimError when it is of no kind that is known */
export async function replayCase(path: string): Promise<CaseResult> {
  const fixture = new Fixture<never>(path);
  const kind = KINDS.find(({ holds }) => holds.every((key) => key in fixture.header));
  if (!kind) throw new ResimError('INVALID_ARGUMENT', `${path} is a case of no known kind`);
  const comparisons = await kind.replay(fixture);
  return { case: path, kind: kind.name, passed: comparisons.every(passes), comparisons };
}

function print({ case: path, kind, passed, comparisons }: CaseResult): void {
  const failed = comparisons.filter((comparison) => !passes(comparison)).length;
  console.log(
    `${passed ? 'ok  ' : 'FAIL'} ${path} (${kind}): ${comparisons.length} quantities, ${failed} beyond tolerance`,
  );
  for (const comparison of comparisons) {
    const { quantity, error, tolerance } = comparison;
    console.log(
      `  ${passes(comparison) ? 'ok  ' : 'FAIL'} ${quantity}: error ${error.toExponential(2)}, tolerance ${tolerance.toExponential(2)}`,
    );
  }
}

async function main(args: string[]): Promise<void> {
  const json = args.includes('--json');
  const paths = args.filter((argument) => !argument.startsWith('--'));
  if (!paths.length)
    throw new ResimError('INVALID_ARGUMENT', 'name the header of a case, or a folder of cases');
  setThreads();
  const results: CaseResult[] = [];
  for (const path of paths.flatMap(headersOf)) {
    const result = await replayCase(path);
    results.push(result);
    if (!json) print(result);
  }
  if (json) console.log(JSON.stringify({ passed: results.every(({ passed }) => passed), cases: results }));
  if (!results.every(({ passed }) => passed)) process.exitCode = 1;
}

if (process.argv[1]?.endsWith('oracle/main.js'))
  main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(error instanceof ResimError ? error.message : error);
    process.exitCode = 2;
  });
