import { CodedError } from '@dunlin/protocol/coded-error';

/** Fault of the configuration. */
export interface Problem {
  /** `dunlin.yaml:3:19`, `environment DUNLIN_WORKERS`, `flag --set workers` … */
  where: string;
  /** One sentence: the value given, and the values allowed. */
  message: string;
  /** Key or value to write instead; empty when nothing is near. */
  suggestion: string;
}

export function formatProblem(problem: Problem): string {
  return `${problem.where}: ${problem.message}${problem.suggestion === '' ? '' : `; ${problem.suggestion}`}`;
}

/** Everything that is wrong with a configuration, at once. The message has one line for each problem. */
export class ConfigurationError extends CodedError<'configuration'> {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[], cause?: unknown) {
    super('configuration', problems.map(formatProblem).join('\n'), { cause });
    this.problems = problems;
  }
}

/** A value as it is shown in a message: short, on one line. */
export function showValue(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
