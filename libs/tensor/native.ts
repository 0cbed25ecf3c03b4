import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ResimError, projectPath } from '#libs/core';

/** A tensor of libtorch: a number that names its place in the addon. Only the engine may make use of one. */
export type TensorHandle = number & { readonly brand: 'tensor' };

export interface GeneratorHandle {
  state(): TensorHandle;
  setState(state: TensorHandle): void;
}

export interface OperatorSchema {
  arguments: { name: string; type: string; kwargOnly: boolean; default?: string }[];
  returns: string[];
}

/** The addon, function by function in the order of its C++ files. */
export interface Native {
  free(tensor: TensorHandle): void;
  isFreed(tensor: TensorHandle): boolean;
  shape(tensor: TensorHandle): number[];
  dtype(tensor: TensorHandle): string;
  device(tensor: TensorHandle): string;
  ownBytes(tensor: TensorHandle): number;
  item(tensor: TensorHandle): number;
  requiresGrad(tensor: TensorHandle): boolean;
  setRequiresGrad(tensor: TensorHandle, on: boolean): void;
  isContiguous(tensor: TensorHandle, channelsLast: boolean): boolean;
  adjustExternalMemory(bytes: number): void;
  GeneratorHandle: new (seed: bigint, device: string) => GeneratorHandle;
  operator(name: string): number;
  schema(name: string): OperatorSchema;
  call(operator: number, args: unknown[]): unknown;
  grad(
    output: TensorHandle,
    inputs: TensorHandle[],
    options: { gradOutput?: TensorHandle; retainGraph?: boolean; allowUnused?: boolean },
  ): (TensorHandle | null)[];
  knownGradient(value: TensorHandle, input: TensorHandle, gradient: TensorHandle): TensorHandle;
  setGradMode(on: boolean): boolean;
  setAutocast(device: string, on: boolean, dtype: string): void;
  fromTypedArray(
    array: ArrayBufferView,
    shape: readonly number[],
    dtype: string,
    share: boolean,
  ): TensorHandle;
  bytes(tensor: TensorHandle, share: boolean): ArrayBuffer;
  mapFile(
    path: string,
    entries: { dtype: string; shape: readonly number[]; begin: number }[],
  ): TensorHandle[];
  sgdStep(
    parameters: TensorHandle[],
    gradients: TensorHandle[],
    velocities: TensorHandle[],
    lr: number,
    momentum: number,
    weightDecay: number,
  ): void;
  emaUpdate(averages: TensorHandle[], values: TensorHandle[], momentum: number): void;
  setThreads(count: number): void;
  threads(): number;
  live(): { count: number; bytes: number };
  build(): { libtorch: string; cuda: boolean; config: string };
}

let loaded: Native | undefined;

/**
 * The addon, loaded at first use: whoever only reads contracts or geometry need not have it.
 * @throws ResimError FAILED_PRECONDITION when it was not built or cannot be loaded, with the command that builds it.
 */
export function native(): Native {
  if (loaded) return loaded;
  const path = projectPath('build', 'native', 'resim_tensor.node');
  if (!existsSync(path))
    throw new ResimError(
      'FAILED_PRECONDITION',
      `the tensor engine is not built (${path} is missing); run \`npm run setup\``,
      {
        reason: 'ENGINE_NOT_BUILT',
      },
    );
  // Threads that wait for each other spin for milliseconds by default, OpenMP's and OpenBLAS's alike. With anything else
  // on the machine (a decoding thread, a second run, or each other) they spin away the cores that the others wait for:
  // measured 10 times slower. Both libraries read these when they are loaded.
  process.env['GOMP_SPINCOUNT'] ??= '1000';
  process.env['OPENBLAS_THREAD_TIMEOUT'] ??= '10';
  try {
    loaded = createRequire(import.meta.url)(path) as Native;
  } catch (cause) {
    throw new ResimError(
      'FAILED_PRECONDITION',
      `the tensor engine cannot be loaded (${(cause as Error).message}); run \`npm run build:native\``,
      { reason: 'ENGINE_NOT_LOADED', cause },
    );
  }
  return loaded;
}
