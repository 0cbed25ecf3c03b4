/** How the learning rate falls. Published ReSim and MoCo-v2: cosine, by whole epochs, no warm-up. */
export interface ScheduleOptions {
  kind: 'cosine' | 'step' | 'constant';
  /** Whether the rate changes once an epoch (as published) or every step. */
  per: 'epoch' | 'step';
  /** Steps over which the rate rises linearly from 0 first. */
  warmupSteps: number;
  /** Epochs at which `step` multiplies the rate by `gamma`. */
  milestones: readonly number[];
  gamma: number;
}

/**
 * The learning rate of a step.
 * cosine: lr = base (1 + cos(pi e / E)) / 2, e the epoch (a fraction when `per` is `step`).
 * Source: the original code's adjust_learning_rate in main_moco.py.
 */
export function learningRate(
  schedule: ScheduleOptions,
  base: number,
  at: { step: number; stepsPerEpoch: number; epochs: number },
): number {
  const exact = at.step / at.stepsPerEpoch;
  const epoch = schedule.per === 'epoch' ? Math.floor(exact) : exact;
  let rate = base;
  if (schedule.kind === 'cosine') rate = (base * (1 + Math.cos((Math.PI * epoch) / at.epochs))) / 2;
  if (schedule.kind === 'step')
    rate = base * schedule.gamma ** schedule.milestones.filter((milestone) => epoch >= milestone).length;
  return at.step < schedule.warmupSteps ? (rate * (at.step + 1)) / schedule.warmupSteps : rate;
}
