import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeScenes } from '#libs/datasets';
import { liveTensors, loadTensors } from '#libs/tensor';
import { pretrain, resolveRecipe, type CheckpointInfo, type PretrainOptions } from './index.js';

const folder = mkdtempSync(join(tmpdir(), 'resim-pretrain-'));
const images = join(folder, 'images');

beforeAll(() => writeScenes({ out: images, count: 12, seed: 4 }));
afterAll(() => rmSync(folder, { recursive: true }));

const small = [
  'train.batchSize=4',
  'train.epochs=2',
  'objective.queue=64',
  'pairing.size=64',
  'pairing.levels=[{name: p4, window: 32, stride: 16}, {name: p3, window: 16, stride: 16}]',
];

interface Told {
  metrics: Map<number, Record<string, number>>;
  checkpoints: CheckpointInfo[];
  warnings: string[];
}

/** A short run in `folder/name`; `stopAt` asks it to stop when that step has been reported. */
async function run(name: string, overrides: string[] = [], { stopAt = Infinity, from = images } = {}) {
  const told: Told = { metrics: new Map(), checkpoints: [], warnings: [] };
  const stop = new AbortController();
  const options: PretrainOptions = {
    recipe: resolveRecipe({ recipe: 'resim-demo', overrides: [...small, ...overrides] }),
    images: from,
    directory: join(folder, name),
    signal: stop.signal,
    workers: 0,
    events: {
      started: () => {},
      metrics: (step, values) => {
        told.metrics.set(step, values);
        // The step under way when the request comes is finished first.
        if (step === stopAt) stop.abort();
      },
      checkpoint: (info) => void told.checkpoints.push(info),
      warning: (message) => void told.warnings.push(message),
    },
  };
  return { ...told, result: await pretrain(options) };
}

const isOfTheClock = (name: string) => name === 'imagesPerSecond' || name === 'dataWaitShare';
const exact = (metrics: Map<number, Record<string, number>>) =>
  Array.from(metrics, ([step, values]) => [
    step,
    Object.entries(values).filter(([name]) => !isOfTheClock(name)),
  ]);

describe('a run', () => {
  it('trains, reports every step and leaves durable checkpoints that other readers open', async () => {
    const { result, metrics, checkpoints } = await run('whole', [
      'train.checkpointEvery=2',
      'train.keepCheckpoints=1',
    ]);
    expect(result).toMatchObject({ state: 'SUCCEEDED', step: 6 });
    expect([...metrics.keys()]).toEqual(Array.from({ length: 6 }, (_, i) => i + 1));
    expect(Object.keys(metrics.get(1)!).sort()).toEqual([
      'accuracy/instance',
      'accuracy/p3',
      'accuracy/p4',
      'dataWaitShare',
      'embeddingSpread',
      'imagesPerSecond',
      'loss',
      'loss/instance',
      'loss/p3',
      'loss/p4',
      'lr',
      'queueFill',
      'valid/p3',
      'valid/p4',
    ]);
    expect(checkpoints.map(({ step }) => step)).toEqual([2, 4, 6]);
    expect(readdirSync(join(folder, 'whole', 'checkpoints')).sort()).toEqual([
      'step-00000004',
      'step-00000006',
    ]);
    const { tensors } = loadTensors(join(result.checkpoint.path, 'model.safetensors'));
    expect(tensors.get('layer4.1.conv2.weight')!.shape).toEqual([512, 512, 3, 3]);
    expect(tensors.get('fpn_output3.weight')!.shape).toEqual([64, 64, 3, 3]);
  });

  it('that was stopped and goes on ends with the same weights and the same series, bit for bit', async () => {
    const whole = await run('reference');
    const first = await run('stopped', [], { stopAt: 3 });
    expect(first.result).toMatchObject({ state: 'CANCELLED', step: 3 + 1 });
    const second = await run('stopped');
    expect(second.result.checkpoint.sha256).toBe(whole.result.checkpoint.sha256);
    expect([...exact(first.metrics), ...exact(second.metrics)]).toEqual(exact(whole.metrics));
  });

  it('is the same on emulated devices after a stop, whatever the number of workers', async () => {
    const whole = await run('shards', ['train.shards=2']);
    await run('shards-stopped', ['train.shards=2'], { stopAt: 1 });
    const again = await run('shards-stopped', ['train.shards=2']);
    expect(again.result.checkpoint.sha256).toBe(whole.result.checkpoint.sha256);
  });

  it('differs under another seed', async () => {
    const [a, b] = [
      await run('seed0', ['train.maxSteps=1']),
      await run('seed1', ['train.maxSteps=1', 'seed=1']),
    ];
    expect(a.result.checkpoint.sha256).not.toBe(b.result.checkpoint.sha256);
  });

  it.each(['resim-c4', 'moco-v2'])('trains %s without a change to the trainer', async (method) => {
    const levels = method === 'moco-v2' ? '[]' : '[{name: c4, window: 32, stride: 16}]';
    const options = `objective={method: ${method}, dim: 16, queue: 64}`;
    const { metrics } = await run(method, [options, `pairing.levels=${levels}`, 'train.maxSteps=2']);
    expect(Number.isFinite(metrics.get(2)!['loss'])).toBe(true);
  });

  it('gives all its memory back', async () => {
    const before = liveTensors().count;
    await run('memory', ['train.maxSteps=2']);
    expect(liveTensors().count).toBe(before);
  });

  it('passes over a checkpoint that was cut short, says so, and goes on from the one before', async () => {
    const whole = await run('cut', ['train.checkpointEvery=4']);
    const model = join(whole.result.checkpoint.path, 'model.safetensors');
    truncateSync(model, 1000);
    const again = await run('cut', ['train.checkpointEvery=4']);
    expect(again.warnings.join()).toMatch(/step-00000006 is damaged: model.safetensors is cut short/);
    expect([...again.metrics.keys()]).toEqual([5, 6]);
    expect(again.result.checkpoint.sha256).toBe(whole.result.checkpoint.sha256);
  });

  it('refuses to begin anew when every checkpoint is damaged', async () => {
    const { result } = await run('lost', ['train.maxSteps=2']);
    writeFileSync(join(result.checkpoint.path, 'checkpoint.json'), '{');
    await expect(run('lost')).rejects.toMatchObject({ code: 'DATA_LOSS', reason: 'CHECKPOINT_DAMAGED' });
  });

  it('leaves no checkpoint under its name when it dies while writing one', async () => {
    const parent = join(folder, 'torn', 'checkpoints');
    mkdirSync(join(parent, '.step-00000002.partial'), { recursive: true });
    writeFileSync(join(parent, '.step-00000002.partial', 'model.safetensors'), 'half');
    const { metrics, result } = await run('torn', ['train.maxSteps=2']);
    expect([...metrics.keys()]).toEqual([1, 2]);
    expect(JSON.parse(readFileSync(join(result.checkpoint.path, 'checkpoint.json'), 'utf8'))).toMatchObject({
      step: 2,
    });
  });

  it('stops with the reason when its loss is no longer a number, keeping the last checkpoint', async () => {
    const failing = run('diverges', ['optim.lr=1e30', 'train.precision=fp32', 'optim.warmupSteps=0']);
    await expect(failing).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'LOSS_NOT_FINITE' });
  });

  it('says when the data set is not the one that it began with', async () => {
    await run('grown', ['train.maxSteps=2']);
    const more = join(folder, 'more');
    await writeScenes({ out: more, count: 13, seed: 4 });
    const { warnings } = await run('grown', ['train.maxSteps=3'], { from: more });
    expect(warnings.join()).toMatch(/had 12 images .* has 13 now/);
  });

  it.each([
    ['an empty folder', () => mkdirSync(join(folder, 'empty')), 'empty', /empty/],
    [
      'a folder of broken files',
      () => {
        mkdirSync(join(folder, 'broken'));
        for (const name of ['a.jpg', 'b.png']) writeFileSync(join(folder, 'broken', name), 'not an image');
      },
      'broken',
      /broken/,
    ],
  ])('on %s is refused with what is wrong', async (_, prepare, name, message) => {
    prepare();
    await expect(run(`on-${name}`, [], { from: join(folder, name) })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message) as string,
    });
  });
});
