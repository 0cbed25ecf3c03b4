/**
 * What every failure of the suite looks like: a stable code, a reason a program can match on, and one sentence
 * that says to a person what was wrong and what would be right. `code` follows the gRPC status names, because both
 * faces (gRPC and REST) are mapped from it in exactly one place each.
 */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'CANCELLED'
  | 'DEADLINE_EXCEEDED'
  | 'RESOURCE_EXHAUSTED'
  | 'UNAVAILABLE'
  | 'DATA_LOSS'
  | 'UNIMPLEMENTED'
  | 'INTERNAL';

/** One thing that was wrong with an input: where it stands, what stood there, what would be right. */
export interface FieldViolation {
  /** Path of the key, as the user wrote it: `optim.lr`, `images`, `levels[1].window`. */
  field: string;
  value?: unknown;
  /** What would be right, as the end of the sentence "must be …". */
  expected: string;
}

export interface ResimErrorOptions {
  /** Stable upper-case word for programs, for example `RECIPE_UNKNOWN_KEY`. @default the code itself */
  reason?: string;
  violations?: FieldViolation[];
  /** Extra facts for programs (never secrets): they travel in `google.rpc.ErrorInfo.metadata`. */
  metadata?: Record<string, string>;
  /** Kept for logs, never sent to a user. */
  cause?: unknown;
}

/** The one error class that may reach a user. Anything else is a defect and is reported as INTERNAL. */
export class ResimError extends Error {
  override readonly name = 'ResimError';
  readonly code: ErrorCode;
  readonly reason: string;
  readonly violations: FieldViolation[];
  readonly metadata: Record<string, string>;

  constructor(code: ErrorCode, message: string, options: ResimErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.reason = options.reason ?? code;
    this.violations = options.violations ?? [];
    this.metadata = options.metadata ?? {};
  }
}

/** How a value is shown inside a message: short, quoted, never a whole buffer. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'bigint' ? `${value}` : (JSON.stringify(value) ?? String(value));
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

/** `INVALID_ARGUMENT` for one field: "`field` (=value) must be expected". */
export function invalid(field: string, value: unknown, expected: string, reason?: string): ResimError {
  return new ResimError('INVALID_ARGUMENT', `\`${field}\` (=${show(value)}) must be ${expected}`, {
    reason: reason ?? 'INVALID_FIELD',
    violations: [{ field, value, expected }],
  });
}
