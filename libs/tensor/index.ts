/** The tensor API. `libtorch` computes; what else may stand behind a tensor is in `engine.ts`. */
import { setStandardEngine } from './engine.js';
import { torchEngine } from './torch-engine.js';

setStandardEngine(torchEngine);

export * from './autograd.js';
export * from './create.js';
export * from './dtype.js';
export { currentEngine, withEngine, type Engine } from './engine.js';
export * from './error.js';
export * from './generated/tensor.js';
export * from './generator.js';
export * from './runtime.js';
export * from './safetensors/index.js';
export { keep, tidy } from './scope.js';
export * from './update.js';
export * from './weights-file.js';
