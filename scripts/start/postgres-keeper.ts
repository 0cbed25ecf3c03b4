import { projectPath, ResimError } from '#libs/core';
import { type Cluster, startCluster } from '#libs/postgres';

/**
 * The process that has the embedded PostgreSQL as its child: it ends the server properly when it is asked to, and when
 * whoever started it is gone.
 */
export interface KeeperReady {
  url: string;
  directory: string;
  leftover: boolean;
}

let cluster: Cluster | undefined;
let stopping: Promise<void> | undefined;

function stop(prepare?: () => Promise<void>): void {
  stopping ??= (async () => {
    await prepare?.();
    await cluster?.stop();
    process.exit(0);
  })();
}

/** Without the launcher nobody keeps an order: the services write what they have before they end, so they go first. */
function afterTheServices(): Promise<void> {
  return cluster?.untilUnused(30_000).catch(() => undefined) ?? Promise.resolve();
}

process.on('SIGTERM', () => stop()).on('SIGINT', () => stop());
process.once('disconnect', () => stop(afterTheServices));

try {
  cluster = await startCluster({
    directory: process.env.RESIM_POSTGRES_DIR ?? projectPath('.resim', 'postgres'),
    port: Number(process.env.RESIM_POSTGRES_PORT ?? 55432),
    log: 2,
  });
} catch (error) {
  process.stderr.write(`${error instanceof ResimError ? error.message : String(error)}\n`);
  process.exit(1);
}
// Asked to end while the server was starting: `stop` had no server to stop then.
if (stopping !== undefined || !process.connected) await cluster.stop().then(() => process.exit(0));
const { url, directory, leftover } = cluster;
process.send?.({ url, directory, leftover } satisfies KeeperReady);
void cluster.ended.then(() => {
  if (stopping === undefined) process.exit(1);
});
