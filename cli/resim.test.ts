import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectPath } from '#libs/core';

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** The command as a user runs it; nobody listens at port 1. */
function resim(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const options = { env: { ...process.env, RESIM_GATEWAY_URL: 'http://127.0.0.1:1', ...env } };
  return new Promise((resolve) => {
    execFile(process.execPath, [projectPath('cli/resim.mjs'), ...args], options, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

/** What every refusal has in common. */
function expectRefusal({ stdout, stderr }: Outcome): void {
  expect(stdout).toBe('');
  expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(3);
  expect(stderr).not.toMatch(/\bat .+:\d+:\d+/);
}

test('help tells commands, examples and exit codes', async () => {
  const { code, stdout } = await resim(['--help']);
  expect(code).toBe(0);
  for (const word of ['pretrain', 'runs', 'recipes', 'pairs', 'scenes', 'Examples:', 'Exit codes:']) {
    expect(stdout).toContain(word);
  }
});

test('a gateway that does not answer is exit code 3 and says how to start one', async () => {
  const outcome = await resim(['runs', 'ls']);
  expect(outcome.code).toBe(3);
  expectRefusal(outcome);
  expect(outcome.stderr).toContain('http://127.0.0.1:1');
  expect(outcome.stderr).toContain('npm start');
});

test('with --json an error is one JSON document on stderr', async () => {
  for (const [args, code, word] of [
    [['runs', 'ls', '--json'], 3, 'UNAVAILABLE'],
    [['runs', 'ls', '--json', '--nope'], 2, 'INVALID_ARGUMENT'],
  ] as const) {
    const outcome = await resim([...args]);
    expect(outcome.code).toBe(code);
    expectRefusal(outcome);
    expect(JSON.parse(outcome.stderr).error.code).toBe(word);
  }
});

test.each([
  [['runs', 'lss'], 'lss'],
  [['runs', 'ls', '--state', 'ASLEEP'], 'ASLEEP'],
  [['runs', 'ls', '--limit', '0'], 'whole number'],
  [['runs', 'ls', '--gateway', 'nowhere'], 'nowhere'],
  [['pretrain', '--recipe', 'resim-fpn'], '--images'],
  [['pretrain', '--recipe', 'resim-fpn', '--images', '/no/such/folder'], '/no/such/folder'],
  [['pretrain', '--recipe', 'resim-fpn', '--images', '.', '--set', 'optim.lr'], 'optim.lr'],
  [['pretrain', '--recipe', 'missing.yaml', '--images', '.'], 'missing.yaml'],
])('%j is wrong input', async (args, word) => {
  const outcome = await resim(args);
  expect(outcome.code).toBe(2);
  expectRefusal(outcome);
  expect(outcome.stderr).toContain(word);
});

test('a file is no folder of images, and ~ is the home of the user', async () => {
  const home = await mkdtemp(join(tmpdir(), 'resim-home-'));
  try {
    await writeFile(join(home, 'file.jpg'), '');
    const file = await resim(['pretrain', '--recipe', 'x', '--images', '~/file.jpg'], { HOME: home });
    expect(file.code).toBe(2);
    expect(file.stderr).toContain(`${join(home, 'file.jpg')} is no folder`);
    const folder = await resim(['pretrain', '--recipe', 'x', '--images', '~'], { HOME: home });
    expect(folder.code).toBe(3);
  } finally {
    await rm(home, { recursive: true });
  }
});
