import { call, watch } from './api.js';
import { chart } from './chart.js';
import { clock, figure, h, size } from './dom.js';

const ENDED = ['SUCCEEDED', 'FAILED', 'CANCELLED'];
const CHARTS = [
  { title: 'Loss', has: (key) => key === 'loss' || key.startsWith('loss/') },
  { title: 'Contrastive accuracy', has: (key) => key.startsWith('accuracy/') },
  { title: 'Images per second', has: (key) => key === 'imagesPerSecond' },
  { title: 'Learning rate', has: (key) => key === 'lr' },
];

/**
 * One run, live, inside `place` until `close` is called.
 *
 * @returns {Promise<() => void>} close
 */
export async function showRun(place, id) {
  let run = await call('GET', `v1/runs/${id}`);
  const keys = Object.keys(run.metrics).filter((key) => CHARTS.some(({ has }) => has(key)));
  let [{ checkpoints }, ...answers] = await Promise.all([
    call('GET', `v1/runs/${id}/checkpoints`),
    // One by one: all series of a long run at once would be more than an answer may hold.
    ...keys.map((key) => call('GET', `v1/runs/${id}/metrics?key=${encodeURIComponent(key)}`)),
  ]);
  const curves = new Map(
    answers.flatMap(({ series }) => series.map(({ key, points }) => [key, columns(points)])),
  );
  const head = h('div', { class: 'card' });
  const charts = CHARTS.map((spec) => ({ ...spec, ...chart(spec.title) }));
  const files = h('div', { class: 'card' });
  place.replaceChildren(head, h('div', { class: 'charts' }, ...charts.map(({ element }) => element)), files);

  const draw = () => {
    drawHead(head, run, act);
    for (const { element, draw: drawChart, has } of charts) {
      const shown = [...curves].filter(([key]) => has(key)).sort(([a], [b]) => (a < b ? -1 : 1));
      element.hidden = shown.length === 0;
      drawChart(
        shown.map(([key, { steps, values }]) => ({ name: key.slice(key.indexOf('/') + 1), steps, values })),
      );
    }
    drawCheckpoints(files, checkpoints);
  };
  let waiting = false;
  const drawSoon = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      requestAnimationFrame(draw);
    }, 250);
  };
  const onEvent = (event) => {
    if (event.kind === 'run') run = { ...event.run, step: Math.max(event.run.step, run.step) };
    else if (event.kind === 'checkpoint') {
      checkpoints = [event.checkpoint, ...checkpoints.filter((one) => one.step !== event.checkpoint.step)];
      checkpoints.sort((a, b) => b.step - a.step);
    } else if (event.kind === 'metrics') {
      run = { ...run, step: event.step };
      for (const [key, value] of Object.entries(event.values)) append(curves, key, event.step, value);
    }
    drawSoon();
  };
  let close = watch(id, run.step, onEvent);
  const act = async (verb) => {
    run = await call('POST', `v1/runs/${id}:${verb}`);
    close();
    close = watch(id, run.step, onEvent);
    draw();
  };
  draw();
  return () => close();
}

function columns(points) {
  return { steps: points.map(({ step }) => step), values: points.map(({ value }) => value) };
}

/** A step done again after a resume has the same values and is not drawn twice. */
function append(curves, key, step, value) {
  if (!curves.has(key)) curves.set(key, { steps: [], values: [] });
  const { steps, values } = curves.get(key);
  if (steps.length > 0 && step <= steps.at(-1)) return;
  steps.push(step);
  values.push(value);
}

function drawHead(head, run, act) {
  const verb = ENDED.includes(run.state) ? 'resume' : 'cancel';
  const label = verb === 'resume' ? 'Resume' : 'Cancel';
  const button = h('button', {
    type: 'button',
    disabled: run.state === 'CANCELLING',
    hidden: run.state === 'SUCCEEDED',
    onclick: async () => {
      button.disabled = true;
      await act(verb).catch((error) => alert(error.message));
    },
  });
  button.append(label);
  const focused = head.contains(document.activeElement);
  const facts = [
    ['Step', run.totalSteps > 0 ? `${run.step} of ${run.totalSteps}` : String(run.step)],
    ['Images', run.images],
    ['Created', clock(run.createTime)],
    run.endTime ? ['Ended', clock(run.endTime)] : undefined,
    run.attempt > 1 ? ['Attempt', String(run.attempt)] : undefined,
    ['Id', run.id],
  ].filter(Boolean);
  head.replaceChildren(
    h(
      'div',
      { class: 'title' },
      h('h2', {}, run.name || run.recipe),
      h('span', { class: `state ${run.state}` }, run.state),
      run.name ? h('span', { class: 'faint' }, run.recipe) : undefined,
      button,
    ),
    h('progress', { max: run.totalSteps || 1, value: run.step, 'aria-label': 'steps done' }),
    ...(run.error ? [h('p', { class: 'error' }, run.error)] : []),
    h('dl', {}, ...facts.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])),
  );
  if (focused) button.focus();
}

function drawCheckpoints(place, checkpoints) {
  const rows = checkpoints.map(({ step, sizeBytes, sha256, path }) =>
    h(
      'tr',
      {},
      h('td', { class: 'number' }, figure(step)),
      h('td', { class: 'number' }, size(sizeBytes)),
      h('td', {}, h('code', { title: sha256 }, sha256.slice(0, 12))),
      h('td', {}, h('code', {}, path)),
    ),
  );
  const titles = [
    h('th', { class: 'number' }, 'Step'),
    h('th', { class: 'number' }, 'Size'),
    h('th', {}, 'SHA-256'),
    h('th', {}, 'Folder'),
  ];
  const list = h('table', {}, h('thead', {}, h('tr', {}, ...titles)), h('tbody', {}, ...rows));
  place.replaceChildren(
    h('h2', {}, 'Checkpoints'),
    rows.length > 0 ? h('div', { class: 'scroll' }, list) : h('p', { class: 'faint' }, 'None yet.'),
  );
}
