export * from './errors.js';
export * from './project.js';
export * from './random.js';
export * from './schema.js';
