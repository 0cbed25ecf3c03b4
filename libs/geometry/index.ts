export * from './box.js';
export * from './crop.js';
export * from './mapping.js';
export * from './windows.js';
