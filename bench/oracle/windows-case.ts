import { mapBoxes, windowGrid, type Box, type ViewGeometry } from '#libs/geometry';
import { maxAbs, type Comparison } from './comparison.js';
import type { Fixture } from './fixture.js';

export interface WindowsHeader {
  configs: { view: number; levels: Record<string, { window: number; stride: number }> }[];
  pair_columns: string[];
}

/** Windows of the query view mapped into the key view: boxes to 1e-9 of a pixel, labels exactly. */
export function windowsCase(fixture: Fixture<WindowsHeader>): Comparison[] {
  const { configs, pair_columns: columns } = fixture.header;
  const comparisons: Comparison[] = [];
  const grids = configs.map(({ view, levels }, place) =>
    Object.fromEntries(
      Object.entries(levels).map(([level, { window, stride }]) => {
        const grid = windowGrid(view, window, stride);
        const name = `config${place}/${level}/boxes_q`;
        comparisons.push({
          quantity: name,
          error: maxAbs(grid.flat(), fixture.values(name)),
          tolerance: 1e-9,
        });
        return [level, grid];
      }),
    ),
  );
  const pairs = fixture.values('pairs') as Int32Array;
  const count = pairs.length / columns.length;
  for (const level of Object.keys(configs[0]!.levels)) {
    const labels: number[] = [];
    const boxes: number[] = [];
    for (let pair = 0; pair < count; pair++) {
      const at = (column: string) => pairs[pair * columns.length + columns.indexOf(column)]!;
      const config = at('config');
      const view = (side: 'q' | 'k'): ViewGeometry => ({
        size: configs[config]!.view,
        crop: {
          left: at(`${side}_left`),
          top: at(`${side}_top`),
          width: at(`${side}_right`) - at(`${side}_left`),
          height: at(`${side}_bottom`) - at(`${side}_top`),
        },
        mirrored: false,
      });
      const mapped = mapBoxes(grids[config]![level] as Box[], view('q'), view('k'));
      mapped.valid.forEach((valid, place) => {
        labels.push(valid ? 0 : -1);
        if (valid) boxes.push(...mapped.boxes[place]!);
      });
    }
    const wrong = labels.filter(
      (label, place) => label !== Number(fixture.values(`${level}/labels`)[place]),
    ).length;
    comparisons.push({ quantity: `${level}/labels, wrong ones`, error: wrong, tolerance: 0 });
    comparisons.push({
      quantity: `${level}/boxes_k`,
      error: maxAbs(boxes, fixture.values(`${level}/boxes_k`)),
      tolerance: 1e-9,
    });
  }
  return comparisons;
}
