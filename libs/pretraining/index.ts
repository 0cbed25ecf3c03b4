/** Pre-training: the trainer, the methods, recipes, checkpoints, and the run that ties them together. */
export * from './checkpoint.js';
export * from './info-nce.js';
export * from './memory.js';
export * from './objective.js';
export * from './objectives/index.js';
export * from './precision.js';
export * from './pretrain.js';
export * from './queue.js';
export * from './recipe.js';
export * from './recipe-files.js';
export * from './region-contrast.js';
export * from './run.js';
export * from './shards.js';
export * from './trainer.js';
