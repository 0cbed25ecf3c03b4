import { type ErrorCode, ResimError } from '#libs/core';
import { CommanderError } from 'commander';

/** Exit codes of the `resim` command. */
export const EXIT = { ok: 0, failure: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;

/** Thrown when a person has interrupted a command; everything there is to say was said. */
export class Interrupted extends Error {}

/** Thrown when what was watched did not succeed; everything there is to say was said. */
export class Unsuccessful extends Error {}

export function exitCode(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (!(error instanceof ResimError)) return EXIT.failure;
  // A name that is not there is wrong input too, where the error says which field it stood in.
  if (error.code === 'INVALID_ARGUMENT' || error.violations.length > 0) return EXIT.usage;
  if (error.code === 'UNAVAILABLE') return EXIT.unreachable;
  return EXIT.failure;
}

/** What stands on stderr for an error: one or two sentences, or one line of JSON; nothing where all was said. */
export function errorText(error: unknown, json: boolean): string {
  if (error instanceof Interrupted || error instanceof Unsuccessful) return '';
  // Commander has said what was wrong with the options, and help is no error.
  if (error instanceof CommanderError && (!json || error.exitCode === 0)) return '';
  const known = error instanceof ResimError ? error : new ResimError(codeOf(error), messageOf(error));
  if (!json) return `resim: ${known.message}\n`;
  const { code, reason, message, violations, metadata } = known;
  return `${JSON.stringify({ error: { code, reason, message, violations, metadata } })}\n`;
}

function codeOf(error: unknown): ErrorCode {
  return error instanceof CommanderError ? 'INVALID_ARGUMENT' : 'INTERNAL';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/^error: /, '') : String(error);
}
