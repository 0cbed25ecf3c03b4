import { createServer } from 'node:net';
import { ResimError } from '#libs/core';

function tryPort(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, host, () => {
      const address = server.address() as { port: number };
      server.close(() => resolve(address.port));
    });
  });
}

/** The preferred port when nobody has it, else any free one: for what only our own processes connect to. */
export async function freePort(preferred: number, host = '127.0.0.1'): Promise<number> {
  return (await tryPort(preferred, host)) ?? (await tryPort(0, host)) ?? preferred;
}

/**
 * The port that users know must be the one they asked for.
 * @throws ResimError FAILED_PRECONDITION naming the port and how to choose another
 */
export async function requirePort(port: number, host: string): Promise<number> {
  const found = await tryPort(port, host);
  if (found !== undefined) return found;
  const other = await freePort(port + 1, host);
  throw new ResimError(
    'FAILED_PRECONDITION',
    `port ${port} is in use by another program: stop that one, or choose another port with \`npm start -- --port ${other}\``,
    { reason: 'PORT_IN_USE', metadata: { port: String(port) } },
  );
}
