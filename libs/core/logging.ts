import { pino } from 'pino';

export type Logger = pino.Logger;

/**
 * A logger that writes one JSON object a line to stderr: stdout belongs to what a program prints for its user.
 * The level is taken from `RESIM_LOG_LEVEL` (`trace` … `fatal`, `silent`). @default info
 *
 * @param service stands in every line
 */
export function createLogger(service: string): Logger {
  const asked = process.env.RESIM_LOG_LEVEL ?? 'info';
  const known = asked === 'silent' || asked in pino.levels.values;
  return pino(
    {
      base: { service, pid: process.pid },
      level: known ? asked : 'info',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: ['authorization', '*.authorization', 'password', '*.password', 'databaseUrl', '*.databaseUrl'],
      serializers: { error: pino.stdSerializers.errWithCause },
    },
    // Synchronous: the last line before a process dies is the one that is looked for.
    pino.destination({ dest: 2, sync: true }),
  );
}
