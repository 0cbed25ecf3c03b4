import { call } from './api.js';
import { clock, figure, h } from './dom.js';
import { showRun } from './run.js';

const REFRESH_MS = 2000;

const list = document.getElementById('run-list');
const place = document.getElementById('run');
const connection = document.getElementById('connection');

/** Id of the run on show, and what ends its events. */
let shown;
let close = () => {};

/** The run that the address names; an address of a place in the page (the skip link) names the same as before. */
let wanted;
function selected() {
  const [, id] = /^#\/runs\/([\w-]+)$/.exec(location.hash) ?? [];
  if (id !== undefined || location.hash.length < 2) wanted = id;
  return wanted;
}

async function refresh() {
  if (document.hidden) return;
  try {
    const { runs } = await call('GET', 'v1/runs?pageSize=100');
    connection.textContent = '';
    drawList(runs);
    await show(selected() ?? runs[0]?.id);
  } catch (error) {
    connection.textContent = error.message;
  }
}

function drawList(runs) {
  const current = selected() ?? runs[0]?.id;
  const focused = list.contains(document.activeElement) ? document.activeElement.hash : undefined;
  list.replaceChildren(...runs.map((run) => h('li', {}, card(run, run.id === current))));
  if (runs.length === 0) {
    list.append(
      h(
        'li',
        { class: 'faint' },
        'None yet: ',
        h('code', {}, 'resim pretrain --images DIR --recipe resim-fpn'),
      ),
    );
  }
  if (focused) [...list.querySelectorAll('a')].find(({ hash }) => hash === focused)?.focus();
}

function card(run, current) {
  const progress = [
    run.metrics.loss === undefined ? undefined : `loss ${figure(run.metrics.loss)}`,
    run.totalSteps > 0 ? `${run.step}/${run.totalSteps}` : undefined,
  ];
  return h(
    'a',
    { href: `#/runs/${run.id}`, 'aria-current': current ? 'true' : undefined },
    h('strong', {}, run.name || run.recipe),
    h('span', { class: `state ${run.state}` }, run.state),
    h('small', {}, clock(run.createTime)),
    h('small', {}, progress.filter(Boolean).join(' · ')),
    h('progress', { max: run.totalSteps || 1, value: run.step, 'aria-label': 'steps done' }),
  );
}

async function show(id) {
  if (id === shown) return;
  close();
  close = () => {};
  shown = id;
  if (id === undefined) return place.replaceChildren();
  try {
    const leave = await showRun(place, id);
    if (shown === id) close = leave;
    else leave();
  } catch (error) {
    place.replaceChildren(h('p', { class: 'error' }, error.message));
    // The next refresh tries again.
    shown = undefined;
  }
}

window.addEventListener('hashchange', () => void refresh());
document.addEventListener('visibilitychange', () => void refresh());
setInterval(() => void refresh(), REFRESH_MS);
void refresh();
