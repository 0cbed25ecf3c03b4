import { hasEnded, type MetricValues, type Run, type RunEvent } from '#libs/rest';
import { duration, figure, share } from './format.js';

/** How many of the latest events the pace is taken from. */
const PACE_EVENTS = 30;

/** What is known of a run while its events arrive: a fold over them, with no output of its own. */
export class RunProgress {
  run: Run;
  values: MetricValues;
  #pace: { step: number; time: number }[] = [];

  constructor(run: Run) {
    this.run = run;
    this.values = run.metrics;
  }

  apply(event: RunEvent): void {
    if (event.kind === 'run') {
      // A new attempt starts again from a checkpoint: the pace across the break would be wrong.
      if (event.run.attempt !== this.run.attempt) this.#pace = [];
      // Events are replayed from the first on: an older one never takes steps away.
      this.run = { ...event.run, step: Math.max(event.run.step, this.run.step) };
    } else if (event.kind === 'checkpoint') {
      this.run = { ...this.run, checkpoint: event.checkpoint };
    } else if (event.kind === 'metrics') {
      this.run = { ...this.run, step: event.step };
      this.values = { ...this.values, ...event.values };
      if (event.time !== null) this.#pace.push({ step: event.step, time: Date.parse(event.time) / 1000 });
      if (this.#pace.length > PACE_EVENTS) this.#pace.shift();
    }
  }

  /** Share of the steps that are completed, 0 to 1. */
  get done(): number {
    return this.run.totalSteps > 0 ? this.run.step / this.run.totalSteps : 0;
  }

  /** Seconds that the steps left will take, judged by the latest ones; undefined while nothing can be said. */
  get secondsLeft(): number | undefined {
    const [first, last] = [this.#pace[0], this.#pace.at(-1)];
    const { step, totalSteps, state } = this.run;
    if (!first || !last || last.step <= first.step || last.time <= first.time || totalSteps === 0)
      return undefined;
    if (hasEnded(state)) return undefined;
    return ((totalSteps - step) * (last.time - first.time)) / (last.step - first.step);
  }

  /** `accuracy p4 38.2 % p3 51.0 %`; empty while there is none. */
  get accuracyText(): string {
    const levels = accuracyOf(this.values).map(([level, value]) => `${level} ${share(value)}`);
    return levels.length > 0 ? `accuracy ${levels.join(' ')}` : '';
  }

  /** `step 120/400  loss 5.213  accuracy p4 38.2 %  14.2 img/s  ETA 1:23` */
  get line(): string {
    const { step, totalSteps } = this.run;
    const parts = [`step ${step}${totalSteps > 0 ? `/${totalSteps}` : ''}`];
    const { loss, imagesPerSecond } = this.values;
    if (loss !== undefined) parts.push(`loss ${figure(loss)}`);
    if (this.accuracyText !== '') parts.push(this.accuracyText);
    if (imagesPerSecond !== undefined) parts.push(`${figure(imagesPerSecond)} img/s`);
    if (this.secondsLeft !== undefined) parts.push(`ETA ${duration(this.secondsLeft)}`);
    return parts.join('  ');
  }
}

/** Region accuracies by level; the instance's where a method has no regions. */
function accuracyOf(values: MetricValues): [level: string, value: MetricValues[string]][] {
  const all = Object.entries(values)
    .filter(([key]) => key.startsWith('accuracy/'))
    .map(([key, value]): [string, MetricValues[string]] => [key.slice('accuracy/'.length), value]);
  const regions = all.filter(([level]) => level !== 'instance');
  return regions.length > 0 ? regions : all;
}
