import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectPath } from '#libs/core';
import { passes } from './comparison.js';
import { replayCase } from './main.js';

const folder = projectPath('test', 'fixtures', 'pretraining');
const cases = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.json'))
  .sort();

describe('recorded cases of the original code, Pillow and torchvision', () => {
  it('are all here', () => {
    expect(cases).toEqual([
      'moco_v2_step.json',
      'prroi.json',
      'resim_c4_step.json',
      'resim_fpn_step.json',
      'resim_fpn_step_single.json',
      'views/views.json',
      'windows.json',
    ]);
  });

  it.each(cases)('%s comes out the same within its tolerances', async (file) => {
    const { comparisons } = await replayCase(join(folder, file));
    expect(comparisons.length).toBeGreaterThan(10);
    expect(comparisons.filter((comparison) => !passes(comparison))).toEqual([]);
  });
});
