import type { Scene } from './compose.js';

/** The annotation of one image as PASCAL VOC has it: corners count from 1 and include the last pixel. */
export function vocAnnotation(file: string, { width, height, objects }: Scene): string {
  const lines = objects.map(({ name, box: [x0, y0, x1, y1], truncated, occluded, difficult }) =>
    [
      '  <object>',
      `    <name>${name}</name>`,
      '    <pose>Unspecified</pose>',
      `    <truncated>${Number(truncated)}</truncated>`,
      `    <occluded>${Number(occluded)}</occluded>`,
      `    <difficult>${Number(difficult)}</difficult>`,
      '    <bndbox>',
      `      <xmin>${x0 + 1}</xmin>`,
      `      <ymin>${y0 + 1}</ymin>`,
      `      <xmax>${x1}</xmax>`,
      `      <ymax>${y1}</ymax>`,
      '    </bndbox>',
      '  </object>',
    ].join('\n'),
  );
  return [
    '<annotation>',
    '  <folder>scenes</folder>',
    `  <filename>${file}</filename>`,
    `  <size>\n    <width>${width}</width>\n    <height>${height}</height>\n    <depth>3</depth>\n  </size>`,
    '  <segmented>0</segmented>',
    ...lines,
    '</annotation>',
    '',
  ].join('\n');
}
