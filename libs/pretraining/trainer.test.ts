import { describe, expect, it } from 'vitest';
import { Linear, Module, ResNet, type Init } from '#libs/nn';
import type { Batch } from '#libs/pairing';
import { crossEntropyLoss, keep, noGrad, tensor, zeros, type Tensor } from '#libs/tensor';
import {
  Trainer,
  type Features,
  type Memory,
  type Network,
  type Objective,
  type StepPlace,
} from './index.js';

/** A classifier of two patches a sample: a method of another family than those with a teacher. */
class PatchClassifier extends Module implements Network {
  private readonly trunk: ResNet;
  private readonly classifier: Linear;

  constructor(init: Init) {
    super();
    this.trunk = this.part(
      '',
      new ResNet(init, { block: 'basic', blocks: [1, 1, 1, 1], stem: 4, planes: [4, 4, 4, 8] }),
    );
    this.classifier = this.part('classifier', new Linear(init.in('classifier'), 16, 3));
  }

  forward(patches: Tensor): Features {
    const pooled = this.trunk.forward(patches).c5.mean([2, 3]);
    return { pooled, logits: this.classifier.forward(pooled.reshape([-1, 16])) };
  }
}

/** A row for every sample of the data set, as instance discrimination keeps. */
class Bank implements Memory {
  readonly entries = keep(zeros([10, 16]));
  write(rows: Tensor, samples: Int32Array): void {
    noGrad(() =>
      this.entries.indexCopy_(0, tensor(BigInt64Array.from(samples, BigInt), [samples.length]), rows),
    );
  }
  position(): Record<string, number> {
    return {};
  }
  restore(): void {}
  fill(): null {
    return null;
  }
  dispose(): void {
    this.entries.dispose();
  }
}

interface Seen {
  places: StepPlace[];
  labels: number[][];
}

function patchObjective(seen: Seen): Objective<never> {
  const objective: Objective<null> = {
    studentViews: ['patches'],
    teacher: null,
    network: (init) => new PatchClassifier(init),
    memory: () => ({ bank: new Bank() }),
    prepare: () => null,
    beforeStep: (_, at) => void seen.places.push(at),
    moves: (parameter, { step }) => step > 0 || !parameter.startsWith('classifier'),
    loss: ({ student, labels }) => {
      seen.labels.push(Array.from(labels!));
      const { logits, pooled } = student['patches']!;
      const target = tensor(BigInt64Array.from(labels!, BigInt), [labels!.length]);
      return {
        terms: { classes: crossEntropyLoss(logits!, target) },
        metrics: {},
        writes: { bank: pooled!.reshape([-1, 16]) },
      };
    },
  };
  return objective as unknown as Objective<never>;
}

const batch = (step: number): Batch => ({
  step,
  epoch: 0,
  count: 4,
  samples: Int32Array.of(9, 2, 5, 0),
  labels: Int32Array.of(0, 1, 2, 0),
  views: [
    {
      name: 'patches',
      size: 32,
      perSample: 2,
      pixels: Uint8Array.from({ length: 8 * 32 * 32 * 3 }, (_, i) => (i * 31) % 251),
    },
  ],
  regions: [],
});

describe('the trainer', () => {
  it('serves a method without a teacher, with patches, classes, a bank and weights that wait, over shards', () => {
    const seen: Seen = { places: [], labels: [] };
    const trainer = new Trainer({
      objective: patchObjective(seen),
      seed: 0,
      batchSize: 4,
      shards: 2,
      optim: { momentum: 0.9, weightDecay: 0 },
      bf16: false,
      device: 'cpu',
    });
    const weight = (name: string) => trainer.student.namedParameters().get(name)!.toArray();
    const before = { classifier: weight('classifier.weight'), trunk: weight('conv1.weight') };
    const place = (step: number) => ({ step, stepsPerEpoch: 5, epochs: 2 });
    const { metrics } = trainer.step(batch(0), { lr: 0.1, place: place(0) });
    expect(Number.isFinite(metrics['loss/classes'])).toBe(true);
    expect(weight('classifier.weight')).toEqual(before.classifier);
    expect(weight('conv1.weight')).not.toEqual(before.trunk);
    trainer.step(batch(1), { lr: 0.1, place: place(1) });
    expect(weight('classifier.weight')).not.toEqual(before.classifier);
    expect(seen).toEqual({
      places: [place(0), place(1)],
      labels: [
        [0, 1],
        [2, 0],
        [0, 1],
        [2, 0],
      ],
    });
    const written = trainer.memory['bank']!.entries.abs().sum([1]).toArray();
    expect(written.flatMap((sum, row) => (sum > 0 ? [row] : []))).toEqual([0, 2, 5, 9]);
    trainer.dispose();
  });

  it('refuses a batch of another size than it was made for', () => {
    const trainer = new Trainer({
      objective: patchObjective({ places: [], labels: [] }),
      seed: 0,
      batchSize: 8,
      shards: 1,
      optim: { momentum: 0.9, weightDecay: 0 },
      bf16: false,
    });
    expect(() => trainer.step(batch(0), { lr: 0.1 })).toThrow(/a batch of 4 came where 8 were expected/);
    trainer.dispose();
  });
});
