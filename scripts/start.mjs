#!/usr/bin/env node
// `npm start`: the set-up that is missing, then the suite (scripts/start/main.ts) on the Node that the project brings.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { node, pathWith, root } from './setup/run.mjs';
import { setUpOrExit } from './setup.mjs';

const args = process.argv.slice(2);
// With --json stdout belongs to the result.
await setUpOrExit(args.includes('--json') ? console.error : console.log);

const suite = spawn(
  node,
  ['--enable-source-maps', join(root, 'dist', 'scripts', 'start', 'main.js'), ...args],
  {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, PATH: pathWith(true) },
  },
);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => suite.kill(signal));
suite.on('exit', (status) => process.exit(status ?? 1));
suite.on('error', (error) => {
  console.error(`the suite could not be started: ${error.message}`);
  process.exit(1);
});

/** Our parent and its parent: npm calls us through a shell. */
function ancestors() {
  try {
    const parentOfParent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${process.ppid}/status`, 'utf8'))?.[1];
    return `${process.ppid} ${parentOfParent}`;
  } catch {
    return `${process.ppid}`;
  }
}

// When npm is killed it cannot tell us. Started by hand, a shell that goes away is no reason to stop.
if (process.env.npm_lifecycle_event === 'start') {
  const before = ancestors();
  setInterval(() => {
    if (ancestors() !== before) suite.kill('SIGTERM');
  }, 1000).unref();
}
