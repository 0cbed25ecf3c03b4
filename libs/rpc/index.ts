export * from './client.js';
export * from './contracts.js';
export * from './controller.js';
export * from './details.js';
export * from './failures.js';
export * as pretraining from './generated/resim/v1/pretraining.js';
export * from './server.js';
export * from './stream.js';
