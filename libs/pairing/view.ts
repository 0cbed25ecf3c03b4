import { imageAddon, type RgbImage } from '#libs/datasets';
import type { ColourStep, ViewTransform } from './transform.js';

/** Numbers of the operations, as `native/view.h` has them. */
const OPERATION = {
  brightness: 1,
  contrast: 2,
  saturation: 3,
  hue: 4,
  grayscale: 5,
  pillowBlur: 6,
  gaussianBlur: 7,
  solarize: 8,
} as const;

function encodeStep(step: ColourStep): [operation: number, value: number] {
  switch (step.op) {
    case 'brightness':
    case 'contrast':
    case 'saturation':
      return [OPERATION[step.op], step.factor];
    case 'hue':
      return [OPERATION.hue, step.shift];
    case 'grayscale':
      return [OPERATION.grayscale, 0];
    case 'blur':
      return [step.kernel === 'pillow' ? OPERATION.pillowBlur : OPERATION.gaussianBlur, step.sigma];
    case 'solarize':
      return [OPERATION.solarize, step.threshold];
  }
}

function encodePlan(flip: boolean, { crop, size, mirrored, steps }: ViewTransform): Float64Array {
  const { top, left, height, width } = crop;
  const header = [Number(flip), top, left, height, width, size, Number(mirrored), steps.length];
  return Float64Array.from([...header, ...steps.flatMap(encodeStep)]);
}

/**
 * Makes one view: crop, flip and antialiased bilinear resize, then the colour operations in their order, in one native
 * call. Equals Pillow and torchvision on Pillow bit for bit (`gaussian` blur excepted, which they do not have).
 *
 * @param image decoded image, `[height, width, 3]`
 * @param flip whether the image is mirrored before it is cropped
 * @param out receives `[size, size, 3]` from `offset` on
 */
export function renderView(
  image: RgbImage,
  flip: boolean,
  transform: ViewTransform,
  out: Uint8Array,
  offset = 0,
): void {
  imageAddon().makeView(image.data, image.width, image.height, encodePlan(flip, transform), out, offset);
}

/** Applies one colour operation to `[height, width, 3]` pixels in place. */
export function applyStep(image: RgbImage, step: ColourStep): void {
  imageAddon().applyOperation(image.data, image.width, image.height, ...encodeStep(step));
}
