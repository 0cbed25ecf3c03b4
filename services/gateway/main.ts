import 'reflect-metadata';
import { createLogger, exitWithParent, ResimError } from '#libs/core';
import { gatewayConfig } from './config.js';
import { createGateway, listen, listensToThisMachineAlone } from './gateway.js';

const logger = createLogger('gateway');
exitWithParent();

try {
  const config = gatewayConfig(process.env);
  const app = await createGateway(config, logger);
  const url = await listen(app, config);
  logger.info({ url, pretraining: config.pretrainingAddress }, 'listening');
  if (!listensToThisMachineAlone(config)) {
    logger.warn('everybody who reaches this address may start and cancel runs');
  }
  const stop = (signal: string): void => {
    logger.info({ signal }, 'closing');
    void app.close().finally(() => process.exit(0));
  };
  process.once('SIGTERM', stop).once('SIGINT', stop);
} catch (error) {
  if (!(error instanceof ResimError)) throw error;
  process.stderr.write(`gateway: ${error.message}\n`);
  process.exit(1);
}
