export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * Kind of log line: a row of a table of events. The name stays what it is from release to release; the message may
 * become clearer.
 */
export interface LogEvent<Level extends LogLevel = LogLevel, Field extends string = string> {
  readonly name: string;
  readonly level: Level;
  readonly message: string;
  /** Names of the fields; `name?` may be absent. */
  readonly fields: readonly Field[];
}

/** The fields that a line of an event has. */
export type LogFields<Field extends string> = {
  [Name in Field as Name extends `${string}?` ? never : Name]: unknown;
} & { [Name in Field as Name extends `${infer Optional}?` ? Optional : never]?: unknown };

/**
 * Fields that follow an event: none for one without fields; of an event that is not known until it is written, whatever
 * there is.
 */
type Rest<Field extends string> = string extends Field
  ? [fields?: Record<string, unknown>]
  : [Field] extends [never]
    ? []
    : [Field] extends [`${string}?`]
      ? [fields?: LogFields<NoInfer<Field>>]
      : [fields: LogFields<NoInfer<Field>>];

/**
 * Port: one line an event, at the level that its table gives; the method repeats the level for the reader, and the compiler compares the two. Any event may be
 * written as `debug`: a line that another worker has just written. `fields` are flat.
 */
export interface Logger {
  debug<Field extends string>(event: LogEvent<LogLevel, Field>, ...rest: Rest<Field>): void;
  info<Field extends string>(event: LogEvent<'info', Field>, ...rest: Rest<Field>): void;
  warn<Field extends string>(event: LogEvent<'warn', Field>, ...rest: Rest<Field>): void;
  error<Field extends string>(event: LogEvent<'error', Field>, ...rest: Rest<Field>): void;
}

interface Row {
  level: LogLevel;
  message: string;
  fields: readonly string[];
}

/** A table of events, by their names: `noun.verb-in-the-past`, in kebab-case. */
export function logEvents<const Rows extends Readonly<Record<string, Row>>>(
  rows: Rows,
): { readonly [Name in keyof Rows]: LogEvent<Rows[Name]['level'], Rows[Name]['fields'][number]> } {
  const events: Record<string, LogEvent> = {};
  for (const [name, row] of Object.entries(rows)) events[name] = { name, ...row };
  return events as { [Name in keyof Rows]: LogEvent<Rows[Name]['level'], Rows[Name]['fields'][number]> };
}

/** Meaning of an event in docs/log.md: what has happened, and what an operator does about it; empty: nothing. */
export interface LogMeaning {
  readonly meaning: string;
  readonly action: string;
}

export type LogMeanings<Events> = { readonly [Name in keyof Events]: LogMeaning };
