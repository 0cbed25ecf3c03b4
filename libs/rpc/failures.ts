import { randomUUID } from 'node:crypto';
import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';
import { z } from 'zod';
import { type ErrorCode, invalidFields, type Logger, ResimError, violationsOf } from '#libs/core';
import { toWire } from './details.js';

/** SQLSTATE (PostgreSQL documentation, appendix A) of what a caller may run into, by code or by its class. */
const SQLSTATES: Record<string, readonly [ErrorCode, reason: string, sentence: string]> = {
  '23505': ['ALREADY_EXISTS', 'DUPLICATE', 'there is one like it already'],
  '23503': ['FAILED_PRECONDITION', 'REFERENCED', 'something it refers to does not exist'],
  '40001': ['ABORTED', 'CONFLICT', 'somebody else changed it at the same time; try again'],
  '40P01': ['ABORTED', 'CONFLICT', 'somebody else changed it at the same time; try again'],
  '53300': ['UNAVAILABLE', 'DATABASE_BUSY', 'the database has no free connection; try again'],
  '25006': ['UNAVAILABLE', 'DATABASE_UNREACHABLE', 'the database takes no changes just now; try again'],
  '53100': ['RESOURCE_EXHAUSTED', 'DATABASE_FULL', 'the disk of the database is full'],
  '57014': ['DEADLINE_EXCEEDED', 'DATABASE_SLOW', 'the database did not answer in time'],
  '57': ['UNAVAILABLE', 'DATABASE_UNREACHABLE', 'the database is restarting; try again'],
  '08': ['UNAVAILABLE', 'DATABASE_UNREACHABLE', 'the connection to the database was lost; try again'],
};

const LOST_CONNECTION =
  /Connection terminated|is not queryable|timeout exceeded when trying to connect|Client was closed/;
const SOCKET_ERRORS = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOENT'];

const PASSING: readonly ErrorCode[] = ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'ABORTED', 'RESOURCE_EXHAUSTED'];

/** Whether an error of the database is worth waiting for (it is away, slow, full, in a conflict), and no defect. */
export function isDatabaseTrouble(error: unknown): boolean {
  const known = fromDatabase(error);
  return known !== undefined && PASSING.includes(known.code);
}

function fromDatabase(error: unknown): ResimError | undefined {
  if (!(error instanceof Error)) return undefined;
  const driver = ((error as { driverError?: unknown }).driverError ?? error) as Error & {
    code?: unknown;
    severity?: unknown;
    syscall?: unknown;
  };
  const code = typeof driver.code === 'string' ? driver.code : '';
  if (driver.severity !== undefined) {
    const known = SQLSTATES[code] ?? SQLSTATES[code.slice(0, 2)];
    return known && new ResimError(known[0], known[2], { reason: known[1], cause: error });
  }
  const socket = SOCKET_ERRORS.includes(code) && driver.syscall !== undefined && driver.syscall !== 'open';
  if (!socket && !LOST_CONNECTION.test(driver.message)) return undefined;
  return new ResimError('UNAVAILABLE', 'the database cannot be reached; try again', {
    reason: 'DATABASE_UNREACHABLE',
    cause: error,
  });
}

/** Whatever a handler threw, as the error its client is told. A defect becomes INTERNAL with a number to look up in the log. */
export function toResimError(error: unknown, logger?: Logger): ResimError {
  if (error instanceof ResimError) return error;
  if (error instanceof z.ZodError) return invalidFields(violationsOf(error.issues, undefined));
  const known = fromDatabase(error);
  if (known) return known;
  const incident = randomUUID();
  logger?.error({ error, incident }, 'a request failed unexpectedly');
  return new ResimError(
    'INTERNAL',
    `something went wrong inside the service; its log says more under ${incident}`,
    {
      metadata: { incident },
      cause: error,
    },
  );
}

/** The one place where what handlers throw becomes a status of gRPC. */
@Catch()
export class FailureFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, _host: ArgumentsHost): Observable<never> {
    return throwError(() => toWire(toResimError(error, this.logger)));
  }
}
