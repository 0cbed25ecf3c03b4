/** Milliseconds that a process gets to end by itself after its parent is gone. */
const graceMs = 20_000;

/**
 * Ends this process when the one that started it (with an IPC channel) is gone, however that ended, kill -9 included:
 * it is asked to end as SIGTERM asks, and after a grace it ends anyway. Nothing happens without an IPC channel.
 */
export function exitWithParent(): void {
  if (!process.channel) return;
  // The channel alone is no reason to stay.
  process.channel.unref();
  process.once('disconnect', () => {
    setTimeout(() => process.exit(1), graceMs).unref();
    process.kill(process.pid, 'SIGTERM');
  });
}
