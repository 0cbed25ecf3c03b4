export * from './compose.js';
export { SCENE_CLASSES } from './outlines.js';
export * from './write.js';
