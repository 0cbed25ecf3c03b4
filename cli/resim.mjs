#!/usr/bin/env node
// Starts the built command with a Node that is new enough: the one of the project where the machine's is older.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const ownNode = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
const newEnough = Number(process.versions.node.split('.')[0]) >= 24;

if (!existsSync(main)) {
  process.stderr.write(
    'resim: the command is not built yet; run `npm run setup` in the project folder once\n',
  );
  process.exitCode = 1;
} else if (newEnough || !existsSync(ownNode)) {
  await import(main);
} else {
  const child = spawn(ownNode, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both; the command itself decides what it means.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => {
    process.stderr.write(`resim: ${ownNode} does not start: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
  });
}
