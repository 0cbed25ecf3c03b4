import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { projectPath, ResimError } from '#libs/core';
import type { Bench } from './main.js';
import type { StepMeasurement } from './step-own.js';

/**
 * One ReSim-FPN training step (ResNet-50, 224 px, queue of 65,536) beside the same step in PyTorch, in one run on
 * one machine. Each is a process of its own, and they take turns, so that neither has the other's memory and a
 * machine that slows down meanwhile slows both.
 */
/** The peer's script, where it is there, and a Python that has what it needs. */
function findPeer(script: string): string[] | null {
  if (!existsSync(script)) return null;
  const pythons = [process.env['RESIM_PEER_PYTHON'], '/usr/bin/python3', 'python3'].filter(
    (path) => path !== undefined,
  );
  const python = pythons.find((path) => spawnSync(path, ['-c', 'import torch, torchvision']).status === 0);
  return python ? [python, script] : null;
}

/**
 * Runs a command that prints one JSON object on its last line; adds the peak of its resident memory in MiB, which the
 * kernel keeps as a high-water mark and which is read until the process is gone.
 */
async function measured<T>(command: string, args: string[]): Promise<T & { peakMiB: number }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let peakKiB = 0;
  const timer = setInterval(() => {
    try {
      peakKiB = Number(
        /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? peakKiB,
      );
    } catch {
      // Gone already.
    }
  }, 50);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [status] = (await once(child, 'close')) as [number | null];
  clearInterval(timer);
  if (status !== 0)
    throw new ResimError('INTERNAL', `${command} ${args.join(' ')} ended with status ${status}`);
  return { ...(JSON.parse(output.trim().split('\n').at(-1)!) as T), peakMiB: peakKiB / 1024 };
}

interface PeerMeasurement {
  torch: string;
  images_per_second: number;
  step_seconds: number;
  loss: number;
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

interface Settings {
  steps: string;
  threads: string;
  rounds: number;
}

async function compare(batch: string, peer: string[] | null, { steps, threads, rounds }: Settings) {
  const own: (StepMeasurement & { peakMiB: number })[] = [];
  const peers: Record<'tuned' | 'published', (PeerMeasurement & { peakMiB: number })[]> = {
    tuned: [],
    published: [],
  };
  for (let round = 0; round < rounds; round++) {
    console.error(`batch ${batch}, round ${round + 1} of ${rounds}`);
    own.push(
      await measured<StepMeasurement>(process.execPath, [
        projectPath('dist', 'bench', 'step-own.js'),
        batch,
        steps,
        threads,
      ]),
    );
    if (!peer) continue;
    for (const mode of ['tuned', 'published'] as const)
      peers[mode].push(
        await measured<PeerMeasurement>(peer[0]!, [
          peer[1]!,
          '--batch',
          batch,
          '--steps',
          steps,
          '--threads',
          threads,
          '--mode',
          mode,
        ]),
      );
  }
  const rate = median(own.map(({ imagesPerSecond }) => imagesPerSecond));
  const result = {
    batch: Number(batch),
    imagesPerSecond: rate,
    stepSeconds: median(own.map(({ stepSeconds }) => stepSeconds)),
    peakMiB: Math.max(...own.map(({ peakMiB }) => peakMiB)),
  };
  if (!peer) return result;
  const of = (mode: 'tuned' | 'published') => ({
    imagesPerSecond: median(peers[mode].map(({ images_per_second: value }) => value)),
    stepSeconds: median(peers[mode].map(({ step_seconds: value }) => value)),
    peakMiB: Math.min(...peers[mode].map(({ peakMiB }) => peakMiB)),
  });
  const [tuned, published] = [of('tuned'), of('published')];
  return {
    ...result,
    ratioTuned: rate / tuned.imagesPerSecond,
    ratioPublished: rate / published.imagesPerSecond,
    ratioMemoryTuned: tuned.peakMiB / result.peakMiB,
    peers: { torch: peers.tuned[0]!.torch, tuned, published },
  };
}

export const stepBench: Bench = {
  summary: 'a training step beside PyTorch (tuned: bf16, channels last; published: fp32)',
  async run(args) {
    const { values } = parseArgs({
      args,
      options: {
        batch: { type: 'string', default: '8,16' },
        steps: { type: 'string', default: '6' },
        threads: { type: 'string', default: '2' },
        rounds: { type: 'string', default: '3' },
        peer: { type: 'string', default: projectPath('..', 'shared', 'peers', 'resim_step.py') },
      },
    });
    const rounds = Number(values.rounds);
    if (!Number.isInteger(rounds) || rounds < 1)
      throw new ResimError('INVALID_ARGUMENT', '--rounds must be a whole number from 1');
    const peer = findPeer(values.peer);
    if (!peer) console.error('no Python with torch and torchvision, or no peer script: own figures only');
    const batches: Awaited<ReturnType<typeof compare>>[] = [];
    for (const batch of values.batch.split(','))
      batches.push(await compare(batch, peer, { ...values, rounds }));
    const worst = (key: 'ratioTuned' | 'ratioPublished' | 'ratioMemoryTuned') =>
      Math.min(...batches.map((result) => (result as Record<typeof key, number>)[key]));
    return {
      ...(peer && {
        ratioTuned: worst('ratioTuned'),
        ratioPublished: worst('ratioPublished'),
        ratioMemoryTuned: worst('ratioMemoryTuned'),
      }),
      batches,
    };
  },
};
