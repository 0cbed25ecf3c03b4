export * from './client.js';
export * from './events.js';
export * from './problem.js';
export * from './resources.js';
