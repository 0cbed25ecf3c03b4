import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { projectPath } from '#libs/core';

const folder = mkdtempSync(join(tmpdir(), 'resim-setup-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function setUp(env: NodeJS.ProcessEnv = {}): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [projectPath('scripts/setup.mjs')], {
      env: { ...process.env, RESIM_LIBTORCH: process.env.RESIM_LIBTORCH ?? '', ...env },
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('close', (status) => resolve({ status, output }));
  });
}

describe('set-up', () => {
  it('names what a wrong RESIM_LIBTORCH lacks and where the right folder may be', async () => {
    const packages = join(folder, 'site-packages');
    mkdirSync(join(packages, 'torch', 'lib'), { recursive: true });
    writeFileSync(join(packages, 'torch', 'lib', 'libtorch.so'), '');
    const { status, output } = await setUp({ RESIM_LIBTORCH: packages });
    expect(status).toBe(1);
    expect(output).toContain(`RESIM_LIBTORCH is ${packages}, which has no lib/libtorch.so`);
    expect(output).toContain(`Set RESIM_LIBTORCH=${join(packages, 'torch')}`);
    expect(output).not.toMatch(/^\s+at /m);
  });

  it('prints the command that installs what is missing when it cannot do it', async () => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, 'node'));
    // Neither compilers nor apt-get are on this path.
    const { status, output } = await setUp({ PATH: bin });
    expect(status).toBe(1);
    expect(output).toMatch(/missing: .*cmake, make, g\+\+/);
    expect(output).toMatch(/install/);
    expect(output).not.toMatch(/^\s+at /m);
  });
});
