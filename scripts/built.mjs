#!/usr/bin/env node
// Runs a compiled program of the suite on its own Node: `node scripts/built.mjs dist/cli/main.js ARGUMENT…`.
// On a clone that was not set up yet it does the set-up first; what that says goes to standard error, because
// standard output belongs to the program.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { node, root } from './setup/run.mjs';

const [entry, ...args] = process.argv.slice(2);
const program = join(root, entry);
if (!existsSync(program)) {
  const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'setup.mjs')], {
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) process.exit(status ?? 1);
}
const child = spawn(node, [program, ...args], { stdio: 'inherit' });
// Ctrl-C reaches the program by itself; this process only waits for what it makes of it.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.once('exit', (code, signal) => {
  if (signal) process.kill(process.pid, signal);
  else process.exit(code ?? 1);
});
