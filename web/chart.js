import { figure, h, svg } from './dom.js';

const HEIGHT = 200;
const LEFT = 48;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 22;

/**
 * Curves over steps, drawn anew by `draw()`; the pointer or the arrow keys read values off.
 *
 * @param {string} title
 */
export function chart(title) {
  const canvas = svg('svg', { class: 'chart', role: 'img', tabindex: 0 });
  /** One unit of the drawing is one pixel, so that letters keep their size at every width. */
  let width = 480;
  const legend = h('div', { class: 'legend' });
  const element = h('div', { class: 'card' }, h('h2', {}, title), canvas, legend);
  /** Where the reader points: a step, or undefined for the newest values. */
  let cursor;
  /** @type {{name: string, steps: number[], values: (number | string)[]}[]} */
  let series = [];

  const reach = () => {
    const first = Math.min(...series.map(({ steps }) => steps[0]));
    const last = Math.max(...series.map(({ steps }) => steps.at(-1)));
    return { first, last: last > first ? last : first + 1 };
  };

  const draw = (latest = series) => {
    series = latest.filter(({ steps }) => steps.length > 0);
    canvas.replaceChildren();
    legend.replaceChildren();
    if (series.length === 0) return;
    const { first, last } = reach();
    const x = (step) => LEFT + ((step - first) / (last - first)) * (width - LEFT - RIGHT);
    const { low, high, ticks } = scale(series.flatMap(({ values }) => values.filter(Number.isFinite)));
    const y = (value) => HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    for (const tick of ticks) {
      canvas.append(
        svg('line', { class: 'grid', x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
        svg('text', { x: LEFT - 6, y: y(tick) + 4, 'text-anchor': 'end' }, figure(tick)),
      );
    }
    canvas.append(
      svg('text', { x: LEFT, y: HEIGHT - 6 }, `step ${first}`),
      svg('text', { x: width - RIGHT, y: HEIGHT - 6, 'text-anchor': 'end' }, String(last)),
    );
    series.forEach(({ name, steps, values }, index) => {
      const stroke = `var(--series-${(index % 6) + 1})`;
      const dash = index >= 6 ? '5 3' : 'none';
      canvas.append(
        svg('path', {
          d: path(steps, values, x, y, width - LEFT - RIGHT),
          style: `stroke:${stroke};stroke-dasharray:${dash}`,
        }),
      );
      const at = cursor === undefined ? steps.length - 1 : nearest(steps, cursor);
      const key = h('i', { style: `background:${stroke}` });
      legend.append(h('span', {}, key, `${name} ${figure(values[at])}`));
    });
    if (cursor !== undefined) {
      canvas.append(
        svg('line', { class: 'cursor', x1: x(cursor), x2: x(cursor), y1: TOP, y2: HEIGHT - BOTTOM }),
      );
      legend.append(h('span', { class: 'faint' }, `at step ${cursor}`));
    }
    const told = series.map(({ name, values }) => `${name} ${figure(values.at(-1))}`).join(', ');
    canvas.setAttribute('aria-label', `${title} over steps ${first} to ${last}; latest: ${told}`);
  };

  const point = (step) => {
    if (series.length === 0) return;
    const { first, last } = reach();
    const longest = series.reduce((most, one) => (one.steps.length > most.steps.length ? one : most));
    cursor = longest.steps[nearest(longest.steps, Math.min(last, Math.max(first, step)))];
    draw();
  };
  const leave = () => {
    cursor = undefined;
    draw();
  };
  canvas.onpointermove = (event) => {
    if (series.length === 0) return;
    const at = event.clientX - canvas.getBoundingClientRect().left;
    const { first, last } = reach();
    point(first + ((at - LEFT) / (width - LEFT - RIGHT)) * (last - first));
  };
  new ResizeObserver(() => {
    width = Math.max(200, canvas.clientWidth);
    draw();
  }).observe(canvas);
  canvas.onpointerleave = leave;
  canvas.onblur = leave;
  canvas.onkeydown = (event) => {
    const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (direction === undefined || series.length === 0) return;
    event.preventDefault();
    const { first, last } = reach();
    point((cursor ?? last) + direction * Math.max(1, Math.round((last - first) / 50)));
  };
  return { element, draw };
}

/** Round limits and three to five lines between them. */
function scale(values) {
  let low = values.reduce((least, value) => Math.min(least, value), Infinity);
  let high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  if (!Number.isFinite(low)) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  low = Math.floor(low / step) * step;
  high = Math.ceil(high / step) * step;
  const count = Math.round((high - low) / step);
  return { low, high, ticks: Array.from({ length: count + 1 }, (_, index) => low + index * step) };
}

/** One line; of many points in one pixel column the lowest and the highest are drawn, and what is no number is a gap. */
function path(steps, values, x, y, pixels) {
  const stride = Math.max(1, Math.ceil(steps.length / pixels));
  let text = '';
  let pen = 'M';
  const to = (index) => {
    text += `${pen}${x(steps[index]).toFixed(1)} ${y(values[index]).toFixed(1)}`;
    pen = 'L';
  };
  for (let start = 0; start < steps.length; start += stride) {
    let least = -1;
    let most = -1;
    for (let index = start; index < Math.min(start + stride, steps.length); index += 1) {
      if (!Number.isFinite(values[index])) pen = 'M';
      else {
        if (least < 0 || values[index] < values[least]) least = index;
        if (most < 0 || values[index] > values[most]) most = index;
      }
    }
    if (least < 0) continue;
    to(Math.min(least, most));
    if (least !== most) to(Math.max(least, most));
  }
  return text;
}

/** Index of the step closest to one, in steps that grow. */
function nearest(steps, step) {
  let [low, high] = [0, steps.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < step) low = middle + 1;
    else high = middle;
  }
  return low > 0 && step - steps[low - 1] < steps[low] - step ? low - 1 : low;
}
