import 'reflect-metadata';
import { createLogger, exitWithParent, ResimError } from '#libs/core';
import { pretrainingConfig } from './config.js';
import { startPretrainingService } from './service.js';

const logger = createLogger('pretraining');
exitWithParent();

try {
  const service = await startPretrainingService(pretrainingConfig(), logger);
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'stopping: the run under way writes a checkpoint first');
    service.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ error }, 'the service did not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
} catch (error) {
  if (!(error instanceof ResimError)) throw error;
  process.stderr.write(`pretraining: ${error.message}\n`);
  process.exit(1);
}
