import type { Scene } from './compose.js';
import { SCENE_CLASSES } from './outlines.js';

interface CocoImage {
  id: number;
  file_name: string;
  width: number;
  height: number;
}

interface CocoAnnotation {
  id: number;
  image_id: number;
  category_id: number;
  /** `x, y, width, height` in pixels. */
  bbox: number[];
  area: number;
  segmentation: number[][];
  iscrowd: 0;
}

/** Collects scenes into one COCO instance file. Categories count from 1, in the order of `SCENE_CLASSES`. */
export class CocoFile {
  private readonly images: CocoImage[] = [];
  private readonly annotations: CocoAnnotation[] = [];

  add(id: number, file: string, scene: Scene): void {
    this.images.push({ id, file_name: file, width: scene.width, height: scene.height });
    for (const { name, box, area, polygons } of scene.objects) {
      const [x0, y0, x1, y1] = box;
      this.annotations.push({
        id: this.annotations.length + 1,
        image_id: id,
        category_id: SCENE_CLASSES.indexOf(name) + 1,
        bbox: [x0, y0, x1 - x0, y1 - y0],
        area,
        segmentation: polygons,
        iscrowd: 0,
      });
    }
  }

  toString(): string {
    const categories = SCENE_CLASSES.map((name, index) => ({ id: index + 1, name, supercategory: 'shape' }));
    const info = { description: 'Synthetic scenes of textured, cluttered, partly hidden shapes' };
    return JSON.stringify({ info, images: this.images, annotations: this.annotations, categories });
  }
}
