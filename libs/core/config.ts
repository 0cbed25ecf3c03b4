import { z } from 'zod';
import { parseWith } from './schema.js';

/**
 * Settings of a process, from the environment, checked and filled in once at its start. An empty variable counts as
 * one that is not set.
 *
 * @throws ResimError `INVALID_ARGUMENT` naming every variable that is wrong
 */
export function readConfig<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  env: NodeJS.ProcessEnv = process.env,
): z.output<z.ZodObject<Shape>> {
  const given = Object.keys(schema.shape).flatMap((name) => {
    const value = env[name];
    return value === undefined || value === '' ? [] : [[name, value] as const];
  });
  return parseWith(schema, Object.fromEntries(given), { reason: 'INVALID_CONFIGURATION' });
}

/** `host:port`, as a server listens at and a client connects to; an IPv6 host stands in brackets. */
export const addressSetting = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^\s:[\]/]+):\d{1,5}$/, {
  error: 'an address such as 127.0.0.1:50051',
});

/** Whether an address can be reached from this machine only. */
export function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(':'));
  return host === 'localhost' || host === '[::1]' || /^127\./.test(host);
}
