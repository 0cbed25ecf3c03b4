/** Networks: layers, trunks, pyramids, heads, pooling, optimisers and schedules, written once against the tensor API. */
export * from './fpn.js';
export * from './heads.js';
export * from './init.js';
export * from './layers.js';
export * from './module.js';
export * from './prroi-pool.js';
export * from './resnet.js';
export * from './schedule.js';
export * from './sgd.js';
