/** Options of a command for load or tests: reading of numbers, and what is told of a wrong one. */
import { MissingProgramError } from './program-file.ts';

/** Option with a value that is not allowed; the message says what was given and what is allowed. */
export class UsageError extends RangeError {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** @throws UsageError */
export function wholeNumber(option: string, text: string, highest: number, lowest = 1): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < lowest || value > highest)
    throw new UsageError(`--${option} must be a whole number from ${lowest} to ${highest}, not '${text}'`);
  return value;
}

/** @throws UsageError */
export function positiveNumber(option: string, text: string, highest: number): number {
  const value = Number(text);
  if (!(value > 0 && value <= highest))
    throw new UsageError(`--${option} must be above 0 and at most ${highest}, not '${text}'`);
  return value;
}

/**
 * Tells on standard error why a command ended: of a wrong option its usage as well, of what the person can mend (`expected`, and a program that is missing) the message
 * alone, of a fault of the command the stack.
 * @returns the exit code
 */
export function tellFailure(
  error: unknown,
  usage: string,
  expected: readonly (abstract new (...parameters: never[]) => Error)[] = [],
): 1 | 2 {
  const isUsage = error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  const isExpected = [MissingProgramError, ...expected].some((kind) => error instanceof kind);
  if (isUsage) console.error(`${(error as Error).message}\n\n${usage}`);
  else console.error(isExpected ? (error as Error).message : error);
  return isUsage ? 2 : 1;
}
