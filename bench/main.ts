import { ResimError } from '#libs/core';
import { stepBench } from './step.js';

/**
 * One command for every bench: npm run bench -- NAME [--json] [its own options]
 *
 * Progress goes to standard error. With `--json` the last line of standard output is one object: times in seconds,
 * memory in MiB, comparisons as `ratio…` (our rate over the peer's: more is better).
 */
export interface Bench {
  summary: string;
  /** @param args what stands behind the name */
  run(args: string[]): Promise<Record<string, unknown>>;
}

/** A new bench is a file beside this one and a row here. */
const BENCHES: Record<string, Bench> = {
  step: stepBench,
};

function usage(): string {
  const rows = Object.entries(BENCHES).map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`);
  return ['usage: npm run bench -- NAME [--json]', ...rows].join('\n');
}

async function main([name, ...args]: string[]): Promise<void> {
  const bench = name === undefined ? undefined : BENCHES[name];
  if (!bench) {
    console.error(usage());
    process.exitCode = 2;
    return;
  }
  const result = await bench.run(args.filter((argument) => argument !== '--json'));
  if (args.includes('--json')) console.log(JSON.stringify({ bench: name, ...result }));
  else console.dir(result, { depth: 5 });
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof ResimError ? error.message : error);
  process.exitCode = 1;
});
