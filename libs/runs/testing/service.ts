import { createLogger, projectPath } from '#libs/core';
import { openDatabase } from '#libs/experiments';
import { Notifications } from '../notifications.js';
import { RunQueue } from '../queue.js';
import { RunWorker } from '../worker.js';

/** A process with a worker and nothing else, so that tests can kill it, stop it and wake it up. */
const logger = createLogger('test-service');
const databaseUrl = process.env.DATABASE_URL!;
const source = await openDatabase({ url: databaseUrl });
const notifications = new Notifications(databaseUrl, logger);
const worker = new RunWorker({
  queue: new RunQueue(source, 'chain'),
  notifications,
  databaseUrl,
  runsDirectory: process.env.RESIM_RUNS_DIR!,
  rank: projectPath('dist', 'libs', 'runs', 'testing', 'rank.js'),
  logger,
  lease: Number(process.env.LEASE ?? 1_000),
  poll: 100,
  backoff: 50,
  maxFailures: Number(process.env.MAX_FAILURES ?? 3),
});
worker.start();
process.once('SIGTERM', () => {
  void worker
    .stop()
    .then(() => notifications.close())
    .then(() => source.destroy())
    .then(() => process.exit(0));
});
