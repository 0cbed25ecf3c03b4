import { type ErrorCode, type FieldViolation, ResimError } from '#libs/core';
import { z } from 'zod';

/** Problem details of RFC 9457, as every failure of REST `/v1` is told. */
export const problem = z
  .object({
    type: z.string().meta({ description: 'URI that names the kind of problem: `urn:resim:problem:…`.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'What was wrong and what would be right, for a person.' }),
    code: z.string().meta({ description: 'Name of the gRPC status.' }),
    reason: z.string().meta({ description: 'Stable word for programs.' }),
    violations: z
      .array(z.object({ field: z.string(), value: z.unknown().optional(), expected: z.string() }))
      .meta({ description: 'Each field that was wrong.' }),
    metadata: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Problem' });
export type Problem = z.output<typeof problem>;

/** HTTP status and title of each code, after google/rpc/code.proto's mapping. */
const HTTP: Record<ErrorCode, readonly [status: number, title: string]> = {
  INVALID_ARGUMENT: [400, 'Invalid input'],
  NOT_FOUND: [404, 'Not found'],
  ALREADY_EXISTS: [409, 'Already exists'],
  FAILED_PRECONDITION: [409, 'Not possible in this state'],
  ABORTED: [409, 'Conflict'],
  CANCELLED: [499, 'Cancelled by the client'],
  DEADLINE_EXCEEDED: [504, 'Took too long'],
  RESOURCE_EXHAUSTED: [429, 'Limit reached'],
  UNAVAILABLE: [503, 'Service unavailable'],
  DATA_LOSS: [500, 'Data lost'],
  UNIMPLEMENTED: [501, 'Not implemented'],
  INTERNAL: [500, 'Internal error'],
};

/** @param status where HTTP says it more exactly than the code does: 413, 415, 405 */
export function toProblem(error: ResimError, status?: number): Problem {
  const [usual, title] = HTTP[error.code];
  return {
    type: `urn:resim:problem:${error.reason.toLowerCase().replaceAll('_', '-')}`,
    title,
    status: status ?? usual,
    detail: error.message,
    code: error.code,
    reason: error.reason,
    violations: error.violations.map(({ field, value, expected }): FieldViolation => ({
      field,
      value,
      expected,
    })),
    metadata: error.metadata,
  };
}

/** The error that a problem tells of; whatever else answered (a proxy, another server) is UNAVAILABLE or INTERNAL. */
export function fromProblem(status: number, body: unknown): ResimError {
  const parsed = problem.safeParse(body);
  if (!parsed.success) {
    const code: ErrorCode = status === 502 || status === 503 || status === 504 ? 'UNAVAILABLE' : 'INTERNAL';
    return new ResimError(code, `the server answered with status ${status} and no explanation`, {
      reason: 'UNEXPECTED_ANSWER',
    });
  }
  const { code, detail, reason, violations, metadata } = parsed.data;
  return new ResimError(code in HTTP ? (code as ErrorCode) : 'INTERNAL', detail, {
    reason,
    violations,
    metadata,
  });
}
