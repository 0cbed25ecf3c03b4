export * from './dtypes.js';
export {
  maxHeaderBytes,
  parseHeader,
  readHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from './header.js';
export { writeSafetensors, type TensorToWrite, type WrittenFile } from './write.js';
