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

function stop(): void {
  stopping ??= (async () => {
    await cluster?.stop();
    process.exit(0);
  })();
}

process.on('SIGTERM', stop).on('SIGINT', stop).once('disconnect', stop);

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
