import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { type ErrorCode, type Logger, ResimError } from '#libs/core';
import { toProblem } from '#libs/rest';
import type { Request, Response } from 'express';
import { randomUUID } from 'node:crypto';

/** What a failure of HTTP itself (no such route, a body that is too long) is in the suite's own terms. */
const CODES: Record<number, readonly [code: ErrorCode, reason: string]> = {
  400: ['INVALID_ARGUMENT', 'MALFORMED_REQUEST'],
  403: ['FAILED_PRECONDITION', 'FORBIDDEN'],
  404: ['NOT_FOUND', 'NO_SUCH_ROUTE'],
  405: ['UNIMPLEMENTED', 'METHOD_NOT_ALLOWED'],
  413: ['RESOURCE_EXHAUSTED', 'BODY_TOO_LONG'],
  415: ['INVALID_ARGUMENT', 'UNSUPPORTED_MEDIA_TYPE'],
};

function httpStatus(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  // Errors of express' body parser: a status below 500 comes with a message meant for the client.
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}

/** The one place where a failure becomes an answer: problem details of RFC 9457, never a stack trace. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    const status = error instanceof ResimError ? undefined : httpStatus(error);
    const problem = toProblem(this.#named(error, status, request), status);
    if (response.headersSent) {
      // Half an answer is sent: a broken connection is the only way left to say that it is not whole.
      response.destroy();
      return;
    }
    if (problem.status === 503) response.setHeader('Retry-After', '2');
    response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }

  #named(error: unknown, status: number | undefined, request: Request): ResimError {
    if (error instanceof ResimError) return error;
    if (status === undefined) {
      const id = randomUUID();
      this.logger.error({ error, id, path: request.path }, 'a defect');
      return new ResimError('INTERNAL', `something went wrong here; the log tells more under ${id}`, {
        metadata: { id },
      });
    }
    const [code, reason] = CODES[status] ?? ['INVALID_ARGUMENT', 'MALFORMED_REQUEST'];
    const detail = {
      400: `the request cannot be read: ${(error as Error).message}`,
      404: `there is no ${request.method} ${request.path}; /v1/docs lists what there is`,
      413: 'the body is longer than 100 kB',
    }[status];
    return new ResimError(code, detail ?? (error as Error).message, { reason });
  }
}
