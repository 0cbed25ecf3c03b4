import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { SetupError } from './report.mjs';

export const root = join(import.meta.dirname, '..', '..');
const bin = join(root, 'node_modules', '.bin');

/** PATH with the project's own programs (Node among them) first, or without them. */
export function pathWith(own) {
  const others = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder && folder !== bin);
  return (own ? [bin, ...others] : others).join(delimiter);
}

/** Node 24, which the project brings as a package. */
export const node = join(bin, 'node');

const running = new Set();

/** For an interrupted set-up: nothing that it started goes on. */
export function endPrograms() {
  for (const child of running) child.kill('SIGTERM');
}

/**
 * Runs a program to its end with its output kept back, which is wanted only when it fails.
 * Gives `{ status, output }`; status is 127 when there is no such program.
 */
export function capture(command, args, { env = {}, cwd = root, own = true } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, PATH: pathWith(own), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    let output = '';
    child.stdout.on('data', (text) => (output += text));
    child.stderr.on('data', (text) => (output += text));
    child.on('error', (error) =>
      resolve({ status: error.code === 'ENOENT' ? 127 : 126, output: error.message }),
    );
    child.on('close', () => running.delete(child));
    child.on('close', (status, signal) =>
      resolve({ status: status ?? 128, output: signal ? `${output}\n${signal}` : output }),
    );
  });
}

/** As `capture`, and a failure is a SetupError with the end of what the program said. */
export async function run(what, command, args, options) {
  const { status, output } = await capture(command, args, options);
  if (status === 0) return output;
  const tail = output.trim().split('\n').slice(-40).join('\n');
  throw new SetupError(`${what} failed (${command} ${args.join(' ')}, status ${status}):\n${tail}`);
}
