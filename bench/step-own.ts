import { setThreads } from '#libs/tensor';
import { OBJECTIVES, Trainer, useBf16 } from '#libs/pretraining';
import type { Batch, RegionBatch } from '#libs/pairing';
import { RESNETS } from '#libs/nn';
import { KeyedRandom, RandomPurpose } from '#libs/core';

/** Measures our own step; run in a process of its own: `node dist/bench/step-own.js BATCH STEPS THREADS [DEVICE]`. */

function windows(size: number, stride: number, image: number): number[][] {
  const starts = Array.from({ length: Math.ceil(image / stride) }, (_, i) => i * stride).filter(
    (at) => at + size < image,
  );
  return starts.flatMap((y) => starts.map((x) => [x, y, x + size, y + size]));
}

/** The peer's batch: random views, every third window dropped, key boxes a fixed map of the query's. */
function makeBatch(count: number, image: number): Batch {
  const random = new KeyedRandom(0, { purpose: RandomPurpose.view });
  const view = (name: string) => {
    const pixels = new Uint8Array(count * image * image * 3);
    for (let place = 0; place < pixels.length; place++) pixels[place] = random.bits() & 255;
    return { name, size: image, pixels };
  };
  const level = (name: string, size: number, stride: number): RegionBatch => {
    const boxes = windows(size, stride, image);
    const query = Float32Array.from(Array.from({ length: count }, () => boxes.flat()).flat());
    return {
      level: name,
      count: boxes.length,
      query,
      key: query.map((value) => value * 0.8 + 10.3),
      valid: Uint8Array.from({ length: count * boxes.length }, (_, place) => (place % 3 === 0 ? 0 : 1)),
    };
  };
  return {
    step: 0,
    epoch: 0,
    count,
    samples: Int32Array.from({ length: count }, (_, row) => row),
    views: [view('query'), view('key')],
    regions: [level('p4', 48, 32), level('p3', 32, 24)],
  };
}

export interface StepMeasurement {
  imagesPerSecond: number;
  /** Median over the timed steps. */
  stepSeconds: number;
  loss: number;
}

export async function measureStep({
  batch: count,
  steps,
  threads,
  device = 'cpu',
}: {
  batch: number;
  steps: number;
  threads: number;
  device?: string;
}): Promise<StepMeasurement> {
  setThreads(threads);
  const spec = OBJECTIVES.find(({ method }) => method === 'resim-fpn')!;
  const options = spec.options.parse({ method: 'resim-fpn' });
  const trainer = new Trainer({
    objective: spec.create(options as never, RESNETS.resnet50),
    seed: 0,
    batchSize: count,
    shards: 1,
    optim: { momentum: 0.9, weightDecay: 1e-4 },
    bf16: useBf16('auto', device),
    device,
  });
  const batch = makeBatch(count, 224);
  const times: number[] = [];
  let loss = 0;
  for (let step = 0; step < steps + 2; step++) {
    const begin = performance.now();
    loss = trainer.step(batch, { lr: 0.03 }).metrics['loss']!;
    if (step >= 2) times.push((performance.now() - begin) / 1000);
    await new Promise(setImmediate);
  }
  times.sort((a, b) => a - b);
  const stepSeconds =
    (times[Math.floor((times.length - 1) / 2)]! + times[Math.ceil((times.length - 1) / 2)]!) / 2;
  return { imagesPerSecond: count / stepSeconds, stepSeconds, loss };
}

if (process.argv[1]?.endsWith('step-own.js')) {
  const [batch, steps, threads] = process.argv.slice(2, 5).map(Number);
  const device = process.argv[5];
  console.log(JSON.stringify(await measureStep({ batch: batch!, steps: steps!, threads: threads!, device })));
}
