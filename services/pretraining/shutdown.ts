/** Token of the signal that fires when the service begins to stop: what waits for events should wait no longer. */
export const SHUTDOWN = Symbol('SHUTDOWN');
