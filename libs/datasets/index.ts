export * from './decode.js';
export * from './image-addon.js';
export * from './image-folder.js';
export { MAX_PIXELS } from './image-limits.js';
export * from './scenes/index.js';
