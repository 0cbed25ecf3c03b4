export * from './database.js';
export * from './entities.js';
export * from './events.js';
export * from './hydrate.js';
export * from './metrics.js';
export * from './postgres.js';
export * from './runs.js';
