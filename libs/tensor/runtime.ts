import { availableParallelism } from 'node:os';
import { native } from './native.js';

/** Threads that operators use. libtorch itself starts with one on some machines, so every process sets it. */
export function setThreads(count: number = availableParallelism()): void {
  native().setThreads(count);
}

export function threads(): number {
  return native().threads();
}

/** Tensors that are held now, and the bytes they were reported with: what a leak test counts. */
export function liveTensors(): { count: number; bytes: number } {
  return native().live();
}

/** Version of libtorch, whether it sees a CUDA device, and how it was built. */
export function engineBuild(): { libtorch: string; cuda: boolean; config: string } {
  return native().build();
}
