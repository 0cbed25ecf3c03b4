import 'reflect-metadata';
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import type { DynamicModule, INestMicroservice, LoggerService, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type GrpcOptions, ServerGrpc } from '@nestjs/microservices';
import { HealthImplementation, service as healthDefinition } from 'grpc-health-check';
import { type Logger, ResimError } from '#libs/core';
import { MAX_MESSAGE_BYTES } from './client.js';
import { type Contract, loadContracts } from './contracts.js';
import { FailureFilter } from './failures.js';

export interface RpcServerOptions {
  /** Nest module with the controllers of the contracts. */
  module: Type | DynamicModule;
  contracts: readonly Contract<unknown>[];
  /** host:port; port 0 takes a free one. */
  address: string;
  /** Environment variable that sets the address: named in the message when the port is taken. */
  addressSetting: string;
  logger: Logger;
}

export interface RpcServer {
  /** host:port it listens at. */
  readonly address: string;
  readonly app: INestMicroservice;
  /** What health checks answer, for the server and for each of its services. */
  setServing(serving: boolean): void;
  /**
   * Says NOT_SERVING, takes no more calls, waits for those under way, and breaks off what is left after the grace.
   * Nest's own shutdown would wait for an open stream for ever.
   *
   * @param grace milliseconds. @default 5000
   */
  close(grace?: number): Promise<void>;
}

type Options = GrpcOptions['options'];

// What goes wrong is thrown and logged here; grpc-js would print it a second time, as plain text.
if (process.env.GRPC_VERBOSITY === undefined) setLogVerbosity(logVerbosity.NONE);

/** Nest's gRPC transport, with a hold on the server underneath: the port it got, and a shutdown with an end. */
class Transport extends ServerGrpc {
  server!: Server;
  port = 0;

  constructor(
    options: Options,
    private readonly address: string,
  ) {
    super(options);
  }

  override async createClient(): Promise<Server> {
    // Binding comes last: from the first connection on, every service answers.
    this.server = new Server({
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_concurrent_streams': 256,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
    });
    return this.server;
  }

  override async start(callback?: () => void): Promise<void> {
    await this.bindEvents();
    this.port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(this.address, ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    callback?.();
  }
}

/** @throws ResimError `UNAVAILABLE` when the address is taken, `INVALID_ARGUMENT` when this machine does not have it */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const { address, contracts, logger } = options;
  const services = contracts.map(({ service }) => service);
  const health = new HealthImplementation(
    Object.fromEntries(['', ...services].map((name) => [name, 'UNKNOWN'])),
  );
  const transport = new Transport(
    {
      package: [...new Set(contracts.map((contract) => contract.package))],
      packageDefinition: loadContracts(contracts.map(({ file }) => file)),
      onLoadPackageDefinition: (definition: PackageDefinition, server: Pick<Server, 'addService'>) => {
        health.addToServer(server as Server);
        new ReflectionService({ ...definition, ...healthPackage }).addToServer(server);
      },
    },
    address,
  );
  const app = await NestFactory.createMicroservice(options.module, {
    strategy: transport,
    logger: nestLogger(logger),
    abortOnError: false,
  });
  app.useGlobalFilters(new FailureFilter(logger));
  try {
    await app.listen();
  } catch (error) {
    await app.close();
    throw bindFailure(error, options);
  }
  const setServing = (serving: boolean): void => {
    for (const name of ['', ...services]) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  };
  return {
    address: `${address.slice(0, address.lastIndexOf(':'))}:${transport.port}`,
    app,
    setServing,
    async close(grace = 5_000) {
      setServing(false);
      await drain(transport.server, grace);
      await app.close();
    },
  };
}

const healthPackage = { 'grpc.health.v1.Health': healthDefinition } as unknown as PackageDefinition;

function drain(server: Server, grace: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, grace);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function bindFailure(error: unknown, { address, addressSetting }: RpcServerOptions): unknown {
  const text = error instanceof Error ? error.message : String(error);
  const port = address.slice(address.lastIndexOf(':') + 1);
  if (text.includes('EADDRINUSE')) {
    return new ResimError(
      'UNAVAILABLE',
      `port ${port} is in use by another program; choose another with ${addressSetting}=HOST:PORT`,
      { reason: 'PORT_IN_USE', metadata: { address }, cause: error },
    );
  }
  if (/EADDRNOTAVAIL|EACCES|ENOTFOUND|No address added|resolution/i.test(text)) {
    return new ResimError(
      'INVALID_ARGUMENT',
      `this machine cannot listen at ${address}; choose another with ${addressSetting}=HOST:PORT`,
      { reason: 'ADDRESS_UNUSABLE', metadata: { address }, cause: error },
    );
  }
  return error;
}

/** Nest's own messages, into the process's log: its routine ones at debug. */
function nestLogger(logger: Logger): LoggerService {
  const child = logger.child({ from: 'nest' });
  const write =
    (level: 'debug' | 'warn' | 'error') =>
    (message: unknown, ...rest: unknown[]): void => {
      const error = message instanceof Error ? message : undefined;
      child[level]({ context: rest.at(-1), ...(error ? { error } : {}) }, error?.message ?? String(message));
    };
  return {
    log: write('debug'),
    debug: write('debug'),
    verbose: write('debug'),
    warn: write('warn'),
    error: write('error'),
  };
}
