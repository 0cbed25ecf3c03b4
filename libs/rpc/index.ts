export * from './client.js';
export * from './contracts.js';
export * from './details.js';
export * as pretraining from './generated/resim/v1/pretraining.js';
