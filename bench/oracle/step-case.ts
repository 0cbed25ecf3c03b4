import {
  OBJECTIVES,
  Trainer,
  denseNegatives,
  embedRegions,
  infoNceRows,
  precise,
  type ShardContext,
} from '#libs/pretraining';
import type { Batch, RegionBatch } from '#libs/pairing';
import type { ResNetOptions } from '#libs/nn';
import { noGrad, tidy, type DType, type Tensor } from '#libs/tensor';
import type { Comparison } from './comparison.js';
import type { Fixture } from './fixture.js';
import { Judge, type StepHeader } from './step-judge.js';

type Case = Fixture<StepHeader>;

/** Which of our methods a case is of: by the levels that it contrasts. */
function objectiveOf({ header: { config } }: Case): { method: string; options: Record<string, unknown> } {
  const shared = {
    dim: config.dim,
    queue: config.queue,
    temperature: config.temperature,
    momentum: config.ema,
  };
  const names = Object.keys(config.levels);
  if (names.length === 0) return { method: 'moco-v2', options: shared };
  const levels = Object.fromEntries(
    names.map((name) => [
      name,
      { negatives: config.levels[name]!.negatives.startsWith('all') ? 'batch' : 'shard' },
    ]),
  );
  if (names.includes('c4'))
    return { method: 'resim-c4', options: { ...shared, ...levels, channels: config.dim } };
  return { method: 'resim-fpn', options: { ...shared, ...levels, channels: config.network.fpn_channels } };
}

function makeTrainer(fixture: Case, dtype: DType): Trainer {
  const { config } = fixture.header;
  const { method, options } = objectiveOf(fixture);
  const spec = OBJECTIVES.find((row) => row.method === method)!;
  const trunk: ResNetOptions = {
    block: config.network.expansion === 1 ? 'basic' : 'bottleneck',
    blocks: config.network.blocks as unknown as ResNetOptions['blocks'],
    stem: config.network.stem_channels,
    planes: config.network.planes as unknown as NonNullable<ResNetOptions['planes']>,
  };
  const hidden = fixture.entry('init/q/fc.0.weight').shape[0]!;
  const parsed = spec.options.parse({ method, hidden, ...options });
  const trainer = new Trainer({
    objective: spec.create(parsed as never, trunk),
    seed: 0,
    batchSize: config.processes * config.images_per_process,
    shards: config.processes,
    optim: { momentum: config.sgd.momentum, weightDecay: config.sgd.weight_decay },
    bf16: false,
    dtype,
  });
  const values = (prefix: string) =>
    new Map(fixture.names(prefix).map((name) => [name.slice(prefix.length), fixture.tensor(name)]));
  tidy(() => {
    for (let shard = 0; shard < config.processes; shard++) {
      trainer.student.load(values('init/q/'), shard);
      trainer.teacher!.load(values('init/k/'), shard);
    }
    const queue = trainer.memory['queue']!;
    noGrad(() => queue.entries.copy_(fixture.tensor('init/queue').transpose(0, 1)));
    queue.restore({ pointer: config.queue_ptr, filled: 0 });
  });
  return trainer;
}

function makeBatch(fixture: Case, step: number): Batch {
  const { config } = fixture.header;
  const count = config.processes * config.images_per_process;
  const view = (name: string, stored: string) => ({
    name,
    size: config.image_size,
    pixels: fixture.values(`batch${step}/${stored}`) as Uint8Array,
  });
  const regions = Object.entries(config.levels).map(([level, { boxes }]): RegionBatch => {
    const source = boxes ? boxes.split('/')[0]! : level;
    const labels = fixture.values(`batch${step}/${source}/labels`) as Int32Array;
    return {
      level,
      count: labels.length / count,
      query: fixture.values(`batch${step}/${source}/boxes_q`) as Float32Array,
      key: fixture.values(`batch${step}/${source}/boxes_k`) as Float32Array,
      valid: Uint8Array.from(labels, (label) => (label === 0 ? 1 : 0)),
    };
  });
  return {
    step: step - 1,
    epoch: 0,
    count,
    samples: Int32Array.from({ length: count }, (_, row) => row),
    views: [view('query', 'im_q'), view('key', 'im_k')],
    regions,
  };
}

/** Every recorded value that exists only inside a step: embeddings, maps and the logits of all rows, valid or not. */
function rowsOf(fixture: Case, context: ShardContext<unknown>): Record<string, Tensor> {
  const { config } = fixture.header;
  const [query, key] = [context.student['query']!, context.teacher['key']!];
  const found: Record<string, Tensor> = { q: query['embedding']!, k: key['embedding']! };
  const instance = infoNceRows(
    {
      query: query['embedding']!,
      positive: key['embedding']!,
      negatives: context.memory['queue']!.entries,
      temperature: config.temperature,
    },
    // A small chunk, so that the pieces are put together here too.
    64,
  );
  found['instance/pos'] = instance.positive;
  found['instance/lse'] = instance.logSumExp;
  for (const [name, level] of Object.entries(config.levels)) {
    found[`map_q/${name}`] = precise(query[name]!);
    found[`map_k/${name}`] = precise(key[name]!);
    const positions = (context.prepared as Record<string, Tensor>)[name] ?? denseNegatives(key[name]!);
    const own = level.negatives.startsWith('all')
      ? positions
      : positions.narrow(0, context.firstRow, context.rows);
    const { query: boxesQ, key: boxesK } = context.regions[name]!;
    const rows = infoNceRows(
      {
        query: embedRegions(query[name]!, boxesQ, level.spatial_scale),
        positive: embedRegions(key[name]!, boxesK, level.spatial_scale),
        negatives: own.reshape([-1, own.shape[2]!]),
        temperature: config.temperature,
      },
      256,
    );
    found[`${name}/pos`] = rows.positive;
    found[`${name}/lse`] = rows.logSumExp;
  }
  return found;
}

function compareState(fixture: Case, judge: Judge, trainer: Trainer, step: number): void {
  const { bn_layout: layout, config } = fixture.header;
  for (let shard = 0; shard < config.processes; shard++)
    for (const [letter, network] of [
      ['q', trainer.student],
      ['k', trainer.teacher!],
    ] as const) {
      const name = `step${step}/bn/process${shard}/${letter}`;
      if (!fixture.has(name)) continue;
      const buffers = network.namedBuffers(shard);
      judge.values(
        name,
        layout.flatMap(([buffer]) => buffers.get(buffer)!.toArray()),
        'running statistics, relative L2',
      );
    }
  for (const [letter, network, key] of [
    ['q', trainer.student, `parameters after step ${step}, max abs`],
    ['k', trainer.teacher!, 'key parameters, max abs'],
  ] as const)
    for (const [parameter, value] of network.namedParameters()) {
      const name = `step${step}/${letter}_after/${parameter}`;
      if (fixture.has(name)) judge.values(name, value.toArray(), key);
    }
  const queue = trainer.memory['queue']!;
  if (fixture.has(`step${step}/queue`))
    judge.values(`step${step}/queue`, queue.entries.transpose(0, 1).toArray(), 'embeddings, max abs');
  judge.exact(
    `step${step}/queue_ptr`,
    queue.position()['pointer']!,
    fixture.header.steps[step - 1]!.queue_ptr_after,
  );
}

function replay(fixture: Case, dtype: DType): Comparison[] {
  const { config, steps } = fixture.header;
  const judge = new Judge(fixture, dtype);
  const trainer = makeTrainer(fixture, dtype);
  for (const [place, recorded] of steps.entries()) {
    const step = place + 1;
    const prefix = `step${step}/`;
    const collected = new Map<string, number[]>();
    const shardLosses: Record<string, number>[] = [];
    const order = fixture.has(`${prefix}shuffle`)
      ? (fixture.values(`${prefix}shuffle`) as Int32Array)
      : undefined;
    const report = trainer.step(
      makeBatch(fixture, step),
      { lr: config.sgd.lr, order },
      {
        shard: (context) =>
          tidy(() => {
            for (const [name, rows] of Object.entries(rowsOf(fixture, context)))
              collected.set(name, [...(collected.get(name) ?? []), ...rows.toArray()]);
          }),
        loss: (values) => shardLosses.push(values),
        gradients: (gradients) => {
          for (const [index, name] of [...trainer.student.namedParameters().keys()].entries())
            if (fixture.has(`${prefix}grad/${name}`))
              judge.gradient(step, `${prefix}grad/${name}`, gradients[index]!.toArray());
        },
      },
    );
    for (const [name, rows] of collected)
      if (fixture.has(prefix + name)) judge.values(prefix + name, rows, tolerance(name));
    for (const [term, values] of Object.entries(recorded.loss_per_process))
      for (const [shard, value] of values.entries())
        judge.scalar(`${prefix}loss/${term}/process${shard}`, shardLosses[shard]![`loss/${term}`]!, value);
    for (const [term, values] of Object.entries(recorded.top1_percent_per_process ?? {}))
      for (const [shard, value] of values.entries())
        // Recorded from float32 percentages.
        judge.comparisons.push({
          quantity: `${dtype} ${prefix}top1/${term}/process${shard}`,
          error: Math.abs(100 * shardLosses[shard]![`accuracy/${term}`]! - value),
          tolerance: 1e-4,
        });
    for (const [term, value] of Object.entries(recorded.loss_mean))
      judge.scalar(
        `${prefix}loss/${term}`,
        report.metrics[term === 'total' ? 'loss' : `loss/${term}`]!,
        value,
      );
    compareState(fixture, judge, trainer, step);
  }
  judge.finishGradients();
  trainer.dispose();
  return judge.comparisons;
}

function tolerance(name: string): string {
  if (name === 'q' || name === 'k') return 'embeddings, max abs';
  return name.startsWith('map') ? 'feature maps, relative L2' : 'pos and lse, max abs';
}

/** Replays a recorded training step, in float64 and in float32. */
export function stepCase(fixture: Case): Comparison[] {
  return [...replay(fixture, 'float64'), ...replay(fixture, 'float32')];
}
