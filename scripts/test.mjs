#!/usr/bin/env node
// `npm test`: the set-up that is missing, then every check and every test. The last line counts them all.
// Arguments go to vitest: `npm test -- libs/geometry`.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setUpOrExit } from './setup.mjs';
import { seconds } from './setup/report.mjs';
import { capture, node, pathWith, root } from './setup/run.mjs';

const modules = (path) => join(root, 'node_modules', path);
const types = join('.resim', 'types.tsbuildinfo');

/** One check each; all must leave the tree as it is. */
const checks = [
  ['lint', [modules('eslint/bin/eslint.js'), '--max-warnings=0', '.']],
  [
    'format',
    [modules('prettier/bin/prettier.cjs'), '--check', '--cache', '--cache-location=.resim/prettier', '.'],
  ],
  [
    'types',
    [
      modules('typescript/bin/tsc'),
      '--noEmit',
      '-p',
      'tsconfig.json',
      '--incremental',
      '--tsBuildInfoFile',
      types,
    ],
  ],
  ['contracts lint', [modules('@bufbuild/buf/bin/buf'), 'lint']],
  ['contracts current', ['scripts/gen.mjs', '--check']],
  ['operators current', ['dist/libs/tensor/generate.js', '--check']],
];

async function runChecks() {
  const failed = [];
  for (const [name, args] of checks) {
    const since = performance.now();
    const { status, output } = await capture(node, args);
    console.log(`  ${status === 0 ? 'passed' : 'FAILED'}: ${name} (${seconds(since)})`);
    if (status !== 0) failed.push({ name, output });
  }
  return failed;
}

/** Runs vitest with its own display and gives the counts of its report. */
async function runTests(filters) {
  const report = join(root, '.resim', 'tests.json');
  rmSync(report, { force: true });
  const args = [
    modules('vitest/vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const child = spawn(node, [...args, ...filters], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: pathWith(true) },
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  const status = await new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('exit', (code) => resolve(code ?? 1));
  });
  let counts;
  try {
    counts = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  // A file that could not be loaded has no tests that failed, and yet it failed.
  const broken = counts.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  const failed = counts.numFailedTests + broken;
  return {
    passed: counts.numPassedTests,
    failed: failed === 0 && status !== 0 ? 1 : failed,
    skipped: counts.numPendingTests + counts.numTodoTests,
  };
}

const since = performance.now();
await setUpOrExit(console.log);
mkdirSync(join(root, '.resim'), { recursive: true });
console.log('Checks and tests');
// The checks need one core for a while, and much of the tests is waiting.
const [failedChecks, tests] = await Promise.all([runChecks(), runTests(process.argv.slice(2))]);
for (const { name, output } of failedChecks) console.log(`\n--- ${name} ---\n${output.trimEnd()}`);

const passed = tests.passed + checks.length - failedChecks.length;
const failed = tests.failed + failedChecks.length;
console.log(
  `\nTests: ${tests.passed} passed, ${tests.failed} failed; checks: ${checks.length - failedChecks.length} of ${checks.length}`,
);
console.log(`All in ${seconds(since)}`);
console.log(`${passed} passed, ${failed} failed${tests.skipped > 0 ? `, ${tests.skipped} skipped` : ''}`);
process.exit(failed === 0 ? 0 : 1);
