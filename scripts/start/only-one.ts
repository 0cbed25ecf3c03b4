import { createHash } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';
import { ResimError } from '#libs/core';

/**
 * Two starts on one state folder would fight over the data. The holder listens on a name in the kernel's own
 * namespace of sockets: no file stays behind, and the name is free again the moment that the process is gone.
 */
function nameOf(stateFolder: string): string {
  return `\0resim-suite-${createHash('sha256').update(stateFolder).digest('hex').slice(0, 16)}`;
}

function whoIsThere(name: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(name);
    socket.setTimeout(2000, () => socket.destroy());
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text || 'another process'));
  });
}

/**
 * Takes the state folder for this process until it ends.
 * @param self what a second start is told, for example "process 12, http://127.0.0.1:8080"
 * @throws ResimError FAILED_PRECONDITION saying who has it
 */
export async function holdAlone(stateFolder: string, self: string): Promise<Server | undefined> {
  if (process.platform !== 'linux') return undefined;
  const name = nameOf(stateFolder);
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(self);
  });
  const taken = await new Promise<boolean>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(true) : reject(error),
    );
    server.listen(name, () => resolve(false));
  });
  if (!taken) return server.unref();
  throw new ResimError(
    'FAILED_PRECONDITION',
    `the suite already runs on ${stateFolder} (${await whoIsThere(name)}): use that one, stop it with Ctrl-C there, or set RESIM_STATE_DIR to another folder`,
    { reason: 'ALREADY_RUNNING' },
  );
}
