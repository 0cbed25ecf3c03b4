import { loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync, type Options, type PackageDefinition } from '@grpc/proto-loader';
import { projectPath } from '#libs/core';
import type { PretrainingServiceController } from './generated/resim/v1/pretraining.js';

/**
 * How messages look in memory, on both ends: camelCase, int64 as decimal text, enums by name, every field present
 * (an unset message is null). The generated types are made with the same choices (`buf.gen.yaml`), and only they
 * tell a wrong field: the serialiser takes any object.
 */
export const LOADER: Options = {
  keepCase: false,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
  includeDirs: [projectPath('proto')],
};

/** A service of `proto/`; the type parameter is its generated controller, from which clients take their types. */
export interface Contract<Controller> {
  /** Full name: `resim.v1.PretrainingService`. */
  readonly service: string;
  /** Package of the service: `resim.v1`. */
  readonly package: string;
  /** File that defines it, relative to `proto/`. */
  readonly file: string;
  /** Never set: carries the type only. */
  readonly controller?: Controller;
}

/** Every service of the suite; a new one is its `.proto`, its row here and its controller. */
export const contracts = {
  pretraining: {
    service: 'resim.v1.PretrainingService',
    package: 'resim.v1',
    file: 'resim/v1/pretraining.proto',
  } as Contract<PretrainingServiceController>,
};

/** Definitions of contract files, as gRPC's own loader reads them. */
export function loadContracts(files: readonly string[]): PackageDefinition {
  return loadSync([...files], LOADER);
}

/** The grpc-js client class of a contract. */
export function clientClass(contract: Contract<unknown>): ServiceClientConstructor {
  let found: unknown = loadPackageDefinition(loadContracts([contract.file]));
  for (const name of contract.service.split('.'))
    found = (found as Record<string, unknown> | undefined)?.[name];
  if (found === undefined) throw new Error(`${contract.file} does not define ${contract.service}`);
  return found as ServiceClientConstructor;
}
