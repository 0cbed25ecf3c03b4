import 'reflect-metadata';
import { ResimError } from '#libs/core';
import { gatewayConfig } from './config.js';
import { createGateway, listen } from './gateway.js';

try {
  const config = gatewayConfig(process.env);
  const app = await createGateway(config, (message, cause) => console.error(message, cause));
  const url = await listen(app, config);
  process.stderr.write(`gateway: ${url}, pre-training service at ${config.pretrainingAddress}\n`);
  const stop = (): void => void app.close().finally(() => process.exit(0));
  process.once('SIGTERM', stop).once('SIGINT', stop);
} catch (error) {
  if (!(error instanceof ResimError)) throw error;
  process.stderr.write(`gateway: ${error.message}\n`);
  process.exit(1);
}
