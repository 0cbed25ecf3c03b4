import { ResimError } from '#libs/core';
import { Init, Sgd } from '#libs/nn';
import type { Batch } from '#libs/pairing';
import { autocast, cat, emaUpdate, grad, noGrad, tidy, type DType, type Tensor } from '#libs/tensor';
import type { Features, Network, Objective, ObjectiveLoss, ShardContext, StepPlace } from './objective.js';
import type { Memory } from './memory.js';
import { BatchTensors } from './batch-tensors.js';
import { inverse, keyShuffle, sampleRows, takeRows } from './shards.js';

export interface TrainerOptions {
  objective: Objective<never>;
  seed: number;
  batchSize: number;
  /** Emulated devices; divides the batch. */
  shards: number;
  optim: { momentum: number; weightDecay: number };
  /** Compute convolutions and products in bf16. */
  bf16: boolean;
  /** @default 'float32' */
  dtype?: DType;
  /** @default 'cpu' */
  device?: string;
}

/** Looks on while a step is computed; for comparisons with recorded steps. Tensors are valid during the call only. */
export interface StepObserver {
  shard?(context: ShardContext<unknown>): void;
  /** Loss, terms and metrics of one shard. */
  loss?(values: Record<string, number>): void;
  /** In the order of `student.namedParameters()`, averaged over the shards. */
  gradients?(gradients: readonly Tensor[]): void;
}

export interface StepOptions {
  lr: number;
  /** How the keys are shuffled over the shards. @default a function of (seed, step) */
  order?: Int32Array;
  /** For objectives that change over the run. @default the batch's own step, in one endless epoch */
  place?: StepPlace;
}

export interface StepReport {
  /** `loss`, `loss/TERM` and the objective's own metrics: means over the shards. */
  metrics: Record<string, number>;
}

/**
 * Owns everything of a run that has a state: student, teacher, memories, optimiser. One call of `step` is one step of
 * training; the objective says what to encode and what to minimise.
 *
 * Shards are encoded and differentiated one after the other and their gradients averaged, so a batch of 8 x 32 needs
 * the activations of 32 images only.
 */
export class Trainer {
  readonly student: Network;
  readonly teacher: Network | null;
  readonly memory: Record<string, Memory>;
  readonly optimizer: Sgd;
  private readonly objective: Objective<unknown>;
  private readonly options: Required<TrainerOptions>;
  private readonly inputs: BatchTensors;

  constructor(options: TrainerOptions) {
    this.options = { dtype: 'float32', device: 'cpu', ...options };
    this.objective = options.objective as unknown as Objective<unknown>;
    const { seed, dtype, device, shards } = this.options;
    const init = new Init({ seed, dtype, device });
    this.student = this.objective.network(init);
    this.teacher = this.objective.teacher && this.objective.network(init);
    this.teacher?.setTrainable(false);
    this.student.setShards(shards);
    this.teacher?.setShards(shards);
    this.memory = this.objective.memory(init);
    this.optimizer = new Sgd(this.student.namedParameters(), options.optim);
    this.inputs = new BatchTensors({ dtype, device });
  }

  /**
   * One step.
   * @throws ResimError FAILED_PRECONDITION when the loss is not finite; the student's weights are as before the step
   *   then, running statistics and the teacher are not: the run goes on from its last checkpoint
   */
  step(batch: Batch, at: StepOptions, observer: StepObserver = {}): StepReport {
    if (batch.count !== this.options.batchSize)
      throw new ResimError(
        'INTERNAL',
        `a batch of ${batch.count} came where ${this.options.batchSize} were expected`,
      );
    return tidy(() => {
      const { objective } = this;
      const place = at.place ?? { step: batch.step, stepsPerEpoch: Infinity, epochs: 1 };
      this.student.broadcastBuffers();
      this.teacher?.broadcastBuffers();
      noGrad(() => objective.beforeStep?.(this.student, place));
      const teacher = this.encodeTeacher(batch, place, at.order);
      const { gradients, losses } = this.differentiate(batch, teacher, observer);
      observer.gradients?.(gradients);
      const metrics = this.report(losses);
      this.optimizer.step(gradients, at.lr, (name) => objective.moves?.(name, place) ?? true);
      for (const [name, memory] of Object.entries(this.memory)) {
        const entries = losses.map(({ writes }) => writes?.[name]).filter((rows) => rows !== undefined);
        if (entries.length) memory.write(entries.length === 1 ? entries[0]! : cat(entries), batch.samples);
      }
      return { metrics };
    });
  }

  private encode(network: Network, images: Tensor): Features {
    const { device, bf16 } = this.options;
    return tidy(() => autocast({ device, enabled: bf16 }, () => network.forward(images)));
  }

  /** Moves the teacher towards the student, then encodes its views of the whole batch. */
  private encodeTeacher(batch: Batch, place: StepPlace, order?: Int32Array): Record<string, Features> {
    const { teacher } = this;
    if (!teacher) return {};
    const { batchSize, shards, seed } = this.options;
    const rows = batchSize / shards;
    return noGrad(() => {
      const { momentum } = this.objective.teacher!;
      emaUpdate(
        teacher.parameters(),
        this.student.parameters(),
        typeof momentum === 'number' ? momentum : momentum(place),
      );
      const encoded = this.objective.teacher!.views.map((view): [string, Features] => {
        const images = this.inputs.images(batch, view);
        // On one device there is nobody to shuffle with.
        if (shards === 1) return [view, this.encode(teacher, images)];
        const shuffle = order ?? keyShuffle(seed, batch.step, batchSize);
        const mixed = takeRows(images, shuffle);
        const parts = Array.from({ length: shards }, (_, shard) => {
          teacher.selectShard(shard);
          return this.encode(teacher, sampleRows(mixed, batchSize, shard * rows, rows));
        });
        const back = inverse(shuffle);
        const names = Object.keys(parts[0]!);
        return [
          view,
          Object.fromEntries(
            names.map((name) => [name, takeRows(cat(parts.map((part) => part[name]!)), back)]),
          ),
        ];
      });
      return Object.fromEntries(encoded);
    });
  }

  /** Every shard's loss, and the mean over the shards of its gradients. */
  private differentiate(
    batch: Batch,
    teacher: Record<string, Features>,
    observer: StepObserver,
  ): { gradients: Tensor[]; losses: Detached[] } {
    const { shards, batchSize } = this.options;
    const rows = batchSize / shards;
    const parameters = this.student.parameters();
    const prepared = noGrad(() => this.objective.prepare(teacher));
    const views = Object.fromEntries(
      this.objective.studentViews.map((view) => [view, this.inputs.images(batch, view)]),
    );
    let gradients: Tensor[] | undefined;
    const losses: Detached[] = [];
    for (let shard = 0; shard < shards; shard++) {
      const firstRow = shard * rows;
      const part = tidy(() => {
        this.student.selectShard(shard);
        const own = (features: Features) =>
          mapValues(features, (map) => sampleRows(map, batchSize, firstRow, rows));
        const context: ShardContext<unknown> = {
          firstRow,
          rows,
          student: mapValues(views, (images) =>
            this.encode(this.student, sampleRows(images, batchSize, firstRow, rows)),
          ),
          teacher: mapValues(teacher, own),
          prepared,
          regions: this.inputs.regions(batch, firstRow, rows),
          memory: this.memory,
          samples: batch.samples.subarray(firstRow, firstRow + rows),
          labels: batch.labels?.subarray(firstRow, firstRow + rows) ?? null,
        };
        observer.shard?.(context);
        const loss = this.objective.loss(context);
        const total = Object.values(loss.terms).reduce((sum, term) => sum.add(term));
        // The mean over shards: the gradient that reaches each is divided here, once.
        const gradients = grad(shards === 1 ? total : total.div(shards), parameters);
        return { gradients, loss: detach(loss, total) };
      });
      losses.push(part.loss);
      observer.loss?.(mapValues(part.loss.values, number));
      if (!gradients) gradients = part.gradients;
      else {
        for (const [place, gradient] of part.gradients.entries()) {
          gradients[place]!.add_(gradient);
          gradient.dispose();
        }
      }
    }
    return { gradients: gradients!, losses };
  }

  private report(losses: readonly Detached[]): Record<string, number> {
    const metrics: Record<string, number> = {};
    for (const { values } of losses)
      for (const [name, value] of Object.entries(values))
        metrics[name] = (metrics[name] ?? 0) + number(value) / losses.length;
    const loss = metrics['loss']!;
    if (!Number.isFinite(loss))
      throw new ResimError(
        'FAILED_PRECONDITION',
        `the loss is ${loss}; a smaller learning rate, or train.precision=fp32, may help`,
        {
          reason: 'LOSS_NOT_FINITE',
          metadata: Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, String(value)])),
        },
      );
    return metrics;
  }

  dispose(): void {
    this.student.dispose();
    this.teacher?.dispose();
    for (const memory of Object.values(this.memory)) memory.dispose();
    this.optimizer.dispose();
    this.inputs.dispose();
  }
}

/** A shard's results without its graph. */
interface Detached {
  values: Record<string, Tensor | number>;
  writes: ObjectiveLoss['writes'];
}

function detach({ terms, metrics, writes }: ObjectiveLoss, total: Tensor): Detached {
  return {
    values: {
      loss: total.detach(),
      ...Object.fromEntries(Object.entries(terms).map(([name, term]) => [`loss/${name}`, term.detach()])),
      ...metrics,
    },
    writes: writes && mapValues(writes, (rows) => rows.detach()),
  };
}

function mapValues<V, W>(record: Record<string, V>, map: (value: V) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
}

function number(value: Tensor | number): number {
  return typeof value === 'number' ? value : value.item();
}
