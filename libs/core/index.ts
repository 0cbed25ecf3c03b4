export * from './config.js';
export * from './errors.js';
export * from './ids.js';
export * from './logging.js';
export * from './parent.js';
export * from './project.js';
export * from './random.js';
export * from './schema.js';
