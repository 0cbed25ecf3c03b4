import { mocoV2 } from './moco-v2.js';
import { resimC4 } from './resim-c4.js';
import { resimFpn } from './resim-fpn.js';

/** Every method that a recipe may name. A new one is a file beside these, its test, and a row here. */
export const OBJECTIVES = [mocoV2, resimC4, resimFpn] as const;

export type { ObjectiveSpec } from './spec.js';
