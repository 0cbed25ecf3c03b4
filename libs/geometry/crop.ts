import type { Box } from './box.js';

/** A rectangle of whole pixels inside an image. */
export interface Crop {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** How a square view was cut from its image: what is needed to find a point of the scene in it again. */
export interface ViewGeometry {
  /** Side of the view in pixels. */
  size: number;
  /** In pixels of the image, mirrored before cropping where the pair shares a flip. */
  crop: Crop;
  /** Whether this view alone was mirrored left to right after cropping. */
  mirrored: boolean;
}

/** The crop's corners in pixels of the image. */
export function cropBox({ top, left, height, width }: Crop): Box {
  return [left, top, left + width, top + height];
}

/** The same pixels of the image, counted after the image of the given width was mirrored. Its own inverse. */
export function mirrorCrop(crop: Crop, width: number): Crop {
  return { ...crop, left: width - crop.left - crop.width };
}
