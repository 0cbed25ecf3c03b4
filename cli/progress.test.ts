import { expect, test } from 'vitest';
import type { Run, RunEvent } from '#libs/rest';
import { RunProgress } from './progress.js';

const queued: Run = {
  id: 'a',
  name: '',
  group: '',
  state: 'PENDING',
  recipe: 'resim-fpn',
  resolvedRecipe: {},
  images: '/data',
  seed: 0,
  step: 0,
  totalSteps: 0,
  metrics: {},
  attempt: 1,
  error: '',
  createTime: '2026-01-01T00:00:00Z',
  startTime: null,
  endTime: null,
  checkpoint: null,
};
const running: Run = { ...queued, state: 'RUNNING', totalSteps: 100 };

function state(run: Run): RunEvent {
  return { kind: 'run', sequence: 1, time: null, run };
}

/** Metrics of a step that was done so many seconds after midnight. */
function metrics(step: number, second: number, values: Record<string, number> = {}): RunEvent {
  return { kind: 'metrics', sequence: step + 1, time: new Date(second * 1000).toISOString(), step, values };
}

function after(run: Run, ...events: RunEvent[]): RunProgress {
  const progress = new RunProgress(run);
  for (const event of events) progress.apply(event);
  return progress;
}

test('a run that waits has a step and nothing else to tell', () => {
  expect(after(queued).line).toBe('step 0');
  expect(after(queued).done).toBe(0);
});

test('the line tells step, loss, accuracy of regions, pace and time left', () => {
  const values = { loss: 5.21349, 'accuracy/p4': 0.382, 'accuracy/p3': 0.51, 'accuracy/instance': 0.9 };
  const progress = after(
    queued,
    state(running),
    metrics(10, 0),
    metrics(20, 5, { ...values, imagesPerSecond: 14.2 }),
  );
  expect(progress.line).toBe('step 20/100  loss 5.213  accuracy p4 38.2 % p3 51.0 %  14.2 img/s  ETA 40 s');
});

test('a method without regions shows the accuracy of instances', () => {
  expect(after(running, metrics(1, 0, { 'accuracy/instance': 0.5 })).line).toContain(
    'accuracy instance 50.0 %',
  );
});

test('a series that only some steps have keeps its last value', () => {
  const progress = after(running, metrics(1, 0, { loss: 3, 'valid/p4': 0.4 }), metrics(2, 1, { loss: 2 }));
  expect(progress.values).toEqual({ loss: 2, 'valid/p4': 0.4 });
});

test('a new attempt has a pace of its own', () => {
  const again = state({ ...running, attempt: 2 });
  expect(after(running, metrics(10, 0), metrics(20, 5), again, metrics(15, 500)).secondsLeft).toBeUndefined();
});

test('steps that are done again after a resume do not run backwards in time left', () => {
  expect(after(running, metrics(50, 0), metrics(40, 9)).secondsLeft).toBeUndefined();
});

test('an old state that is replayed takes no steps away', () => {
  expect(after({ ...running, step: 60 }, state({ ...running, step: 0 })).run.step).toBe(60);
});

test('nothing is left of a run that has ended', () => {
  const ended = state({ ...running, state: 'CANCELLED', step: 20 });
  expect(after(running, metrics(10, 0), metrics(20, 5), ended).secondsLeft).toBeUndefined();
});
