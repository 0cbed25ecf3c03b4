import { mkdir } from 'node:fs/promises';
import { isLoopback, type Logger, projectPath, ResimError } from '#libs/core';
import { describeDatabase, migrate, openDatabase } from '#libs/experiments';
import { contracts, startRpcServer } from '#libs/rpc';
import { Notifications, RunQueue, RunWorker } from '#libs/runs';
import type { PretrainingConfig } from './config.js';
import { PretrainingModule } from './pretraining.module.js';

/** Kind of the runs in the queue that this service works on. */
const KIND = 'pretraining';

const HEALTH_INTERVAL = 5_000;

export interface PretrainingService {
  /** host:port it listens at. */
  readonly address: string;
  /** The run under way writes a checkpoint and waits for the next start; watchers are told to come back. */
  stop(): Promise<void>;
}

/**
 * Database first, then the server, and the worker when the port is ours: a second start by mistake must not take runs
 * from the first.
 *
 * @throws ResimError in a sentence for whoever starts it: no database, port in use, folder that cannot be made
 */
export async function startPretrainingService(
  config: PretrainingConfig,
  logger: Logger,
): Promise<PretrainingService> {
  const { databaseUrl, address, runsDirectory } = config;
  try {
    await mkdir(runsDirectory, { recursive: true });
  } catch (error) {
    throw new ResimError(
      'FAILED_PRECONDITION',
      `the folder of the runs cannot be made: ${(error as Error).message}`,
      {
        reason: 'NO_FOLDER',
        cause: error,
      },
    );
  }
  const source = await openDatabase({ url: databaseUrl, application: 'resim-pretraining' });
  const shutdown = new AbortController();
  const notifications = new Notifications(databaseUrl, logger);
  const queue = new RunQueue(source, KIND);
  const worker = new RunWorker({
    queue,
    notifications,
    databaseUrl,
    runsDirectory,
    rank: projectPath('dist', 'services', 'pretraining', 'rank.js'),
    logger,
  });
  const closeDatabase = async (): Promise<void> => {
    await notifications.close();
    await source.destroy();
  };
  try {
    await migrate(source, logger);
    const server = await startRpcServer({
      module: PretrainingModule.with({ config, source, notifications, queue, shutdown: shutdown.signal }),
      contracts: [contracts.pretraining],
      address,
      addressSetting: 'RESIM_PRETRAINING_ADDRESS',
      logger,
    });
    worker.start();
    server.setServing(true);
    const health = setInterval(() => {
      if (shutdown.signal.aborted) return;
      // What is asked while the database is away is answered with UNAVAILABLE; health checks should say so beforehand.
      source.query('select 1').then(
        () => shutdown.signal.aborted || server.setServing(true),
        () => server.setServing(false),
      );
    }, HEALTH_INTERVAL);
    const { dataRoots } = config;
    logger.info(
      { address: server.address, database: describeDatabase(databaseUrl), runsDirectory, dataRoots },
      'listening',
    );
    if (!isLoopback(address)) logger.warn('everybody who reaches this address may start and cancel runs');
    return {
      address: server.address,
      async stop() {
        clearInterval(health);
        server.setServing(false);
        shutdown.abort();
        await worker.stop();
        await server.close(1_000);
        await closeDatabase();
      },
    };
  } catch (error) {
    await closeDatabase();
    throw error;
  }
}
