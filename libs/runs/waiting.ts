import { pause } from '#libs/core';
import { isDatabaseTrouble } from '#libs/rpc';

/**
 * Does something with the database, however long the database is away. What is done must bear being done twice: the
 * connection may break after the commit.
 *
 * @param onGone told once each time the database goes away
 * @throws what `action` throws when the database is there, or when `signal` has fired
 */
export async function whenDatabaseIsThere<T>(
  action: () => Promise<T>,
  options: { signal?: AbortSignal; onGone?: (error: unknown) => void } = {},
): Promise<T> {
  const { signal, onGone } = options;
  for (let wait = 100; ; wait = Math.min(2 * wait, 2_000)) {
    try {
      return await action();
    } catch (error) {
      if (!isDatabaseTrouble(error) || signal?.aborted) throw error;
      if (wait === 100) onGone?.(error);
    }
    await pause(wait, signal);
  }
}
