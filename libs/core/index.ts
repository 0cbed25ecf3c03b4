export * from './errors.js';
export * from './project.js';
