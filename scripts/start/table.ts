import type { Demonstration } from './demonstration.js';

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

function rowsOf({ run, checkpoint, change, imagesPerSecond, rows }: Demonstration): [string, string][] {
  const table: [string, string][] = [['run', `${run.id} (${run.recipe}, ${run.step} steps, ${run.state})`]];
  for (const [key, { first, last }] of Object.entries(change)) {
    if (key === 'loss') table.push(['loss', `${first.toFixed(3)} -> ${last.toFixed(3)}`]);
    if (key.startsWith('accuracy/')) {
      const level = key.slice('accuracy/'.length);
      const name = level === 'instance' ? 'instance accuracy' : `region accuracy ${level}`;
      table.push([name, `${percent(first)} -> ${percent(last)}`]);
    }
  }
  if (imagesPerSecond !== undefined) table.push(['speed', `${imagesPerSecond.toFixed(1)} images/s`]);
  if (checkpoint) {
    table.push(['checkpoint', checkpoint.path], ['SHA-256', checkpoint.sha256]);
  }
  table.push([
    'in the database',
    `${rows.runs} run, ${rows.metrics} metric values, ${rows.checkpoints} checkpoints`,
  ]);
  return table;
}

/** The result as a table of two columns. Arrows lead from the mean of the first tenth of the steps to the last's. */
export function resultTable(demonstration: Demonstration): string {
  const table = rowsOf(demonstration);
  const width = Math.max(...table.map(([name]) => name.length));
  return table.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
}

export function whereToLook(url: string, databaseUrlFile: string | undefined): string {
  const table: [string, string][] = [
    ['page', `${url}/`],
    ['REST and its documentation', `${url}/v1/docs`],
    ['database', databaseUrlFile ? `psql "$(cat ${databaseUrlFile})"` : 'the one of DATABASE_URL'],
    ['a run of your own', 'npm run resim -- pretrain --images DIR --recipe resim-fpn'],
    ['runs', 'npm run resim -- runs ls'],
  ];
  const width = Math.max(...table.map(([name]) => name.length));
  return table.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
}
