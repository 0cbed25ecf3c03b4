import { TensorBase } from './tensor-base.js';

function describe(argument: unknown): string {
  if (argument instanceof TensorBase) return argument.toString();
  if (Array.isArray(argument))
    return `[${argument.slice(0, 8).map(describe).join(', ')}${argument.length > 8 ? ', …' : ''}]`;
  return String(argument);
}

/** A failure inside the engine: libtorch's own message, the operator, its arguments; the stack is the caller's. */
export class TensorError extends Error {
  override readonly name = 'TensorError';
  readonly operator: string;
  readonly operands: string[];

  constructor(operator: string, message: string, operands: string[], cause?: unknown) {
    const given = operands.length ? `\n  given: ${operands.join(', ')}` : '';
    super(`${operator}: ${message.trim()}${given}`, { cause });
    this.operator = operator;
    this.operands = operands;
  }

  static of(error: unknown, operator: string, args: readonly unknown[]): TensorError {
    return new TensorError(
      operator,
      error instanceof Error ? error.message : String(error),
      args.map(describe),
      error,
    );
  }

  static guard<T>(operator: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw TensorError.of(error, operator, []);
    }
  }
}
