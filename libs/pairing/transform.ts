import type { Crop, ViewGeometry } from '#libs/geometry';

/** One colour operation with the parameter that was drawn for it. */
export type ColourStep =
  | { op: 'brightness' | 'contrast' | 'saturation'; factor: number }
  /** In turns of the colour circle, -0.5 to 0.5. */
  | { op: 'hue'; shift: number }
  | { op: 'grayscale' }
  /** Standard deviation in pixels of the view. */
  | { op: 'blur'; kernel: 'pillow' | 'gaussian'; sigma: number }
  | { op: 'solarize'; threshold: number };

/** How one view came from its image: everything that was drawn, in the order in which it is applied. */
export interface ViewTransform extends ViewGeometry {
  name: string;
  /** In pixels of the image, mirrored first where `PairTransform.flip` says so. */
  crop: Crop;
  steps: ColourStep[];
}

/** How all views of a sample came from its image. */
export interface PairTransform {
  /** Whether the whole image was mirrored before any view was cropped. */
  flip: boolean;
  views: ViewTransform[];
}
