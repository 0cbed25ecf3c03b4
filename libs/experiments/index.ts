export * from './database.js';
export * from './entities.js';
