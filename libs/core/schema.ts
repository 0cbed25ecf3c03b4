import type { z } from 'zod';
import { type FieldViolation, ResimError, show } from './errors.js';

/** The part of a zod issue that is read here; Standard Schema issues of zod carry the same fields. */
type Issue = z.core.$ZodIssue;

/** A path as a user would write it: `optim.lr`, `levels[1].window`. */
export function fieldPath(path: readonly PropertyKey[], root = ''): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, root);
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      value === null || value === undefined ? undefined : (value as Record<PropertyKey, unknown>)[part],
    input,
  );
}

const NAMED_TYPES: Record<string, string> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  null: 'nothing (null)',
  number: 'a number',
  object: 'a group of keys',
  record: 'a group of keys',
  string: 'a text',
};

const NAMED_FORMATS: Record<string, string> = {
  uuid: 'a UUID',
  url: 'a URL',
  datetime: 'a time in RFC 3339',
};

function bound(
  issue: { origin: string; inclusive?: boolean },
  limit: number | bigint,
  least: boolean,
): string {
  const unit = { string: ' characters long', array: ' items long', set: ' items long' }[issue.origin] ?? '';
  if (least) return `${issue.inclusive === false ? 'more than' : 'at least'} ${limit}${unit}`;
  return `${issue.inclusive === false ? 'less than' : 'at most'} ${limit}${unit}`;
}

/** What would have been right, as the end of the sentence "must be …". */
function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return NAMED_TYPES[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return issue.values.length === 1
        ? show(issue.values[0])
        : `one of ${issue.values.map((value) => show(value)).join(', ')}`;
    case 'too_small':
      return bound(issue, issue.minimum, true);
    case 'too_big':
      return bound(issue, issue.maximum, false);
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return NAMED_FORMATS[issue.format] ?? issue.message;
    case 'invalid_union': {
      const choices = issue.errors.flatMap((errors) => errors.slice(0, 1).map(expectation));
      return choices.length > 0 ? [...new Set(choices)].join(' or ') : issue.message;
    }
    default:
      // A rule's own message may be the whole end of the sentence.
      return issue.message.replace(/^must be /, '');
  }
}

/** The parts of a schema that lead to its keys. */
interface Inside {
  def?: { innerType?: Inside; in?: Inside; element?: Inside };
  shape?: Record<string, Inside>;
}

/** Names that may stand in the group at `path`; empty where the schema does not say. */
function keysAt(schema: Inside | undefined, path: readonly PropertyKey[]): string[] {
  const wrapped = schema?.def?.innerType ?? schema?.def?.in;
  if (wrapped && !schema?.shape) return keysAt(wrapped, path);
  const [first, ...rest] = path;
  if (first === undefined) return Object.keys(schema?.shape ?? {});
  return keysAt(typeof first === 'number' ? schema?.def?.element : schema?.shape?.[String(first)], rest);
}

/**
 * zod issues as field violations, an unknown key being one violation of its own.
 *
 * @param root what stands before every path, for example `--set `
 * @param schema where given, an unknown key is answered with the keys that there are
 */
export function violationsOf(
  issues: readonly Issue[],
  input: unknown,
  root = '',
  schema?: z.ZodType,
): FieldViolation[] {
  return issues.flatMap((issue): FieldViolation[] => {
    if (issue.code === 'unrecognized_keys') {
      const group = valueAt(input, issue.path);
      const known = keysAt(schema as Inside | undefined, issue.path);
      const right = known.length > 0 ? `; the keys here are ${known.join(', ')}` : '';
      return issue.keys.map((key) => ({
        field: fieldPath([...issue.path, key], root),
        value: valueAt(group, [key]),
        expected: `left out: there is no such key${right}`,
      }));
    }
    return [
      {
        field: fieldPath(issue.path, root) || 'value',
        value: valueAt(input, issue.path),
        expected: expectation(issue),
      },
    ];
  });
}

/** `INVALID_ARGUMENT` that says every violation in one sentence each. */
export function invalidFields(violations: FieldViolation[], reason = 'INVALID_FIELD'): ResimError {
  const sentences = violations.map(
    ({ field, value, expected }) => `\`${field}\` (=${show(value)}) must be ${expected}`,
  );
  return new ResimError('INVALID_ARGUMENT', sentences.join('; '), { reason, violations });
}

/**
 * The value as the schema resolves it, defaults filled in.
 *
 * @throws ResimError `INVALID_ARGUMENT` naming every field that is wrong, its value and what would be right
 */
export function parseWith<S extends z.ZodType>(
  schema: S,
  input: unknown,
  options: { root?: string; reason?: string } = {},
): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw invalidFields(violationsOf(result.error.issues, input, options.root, schema), options.reason);
}
