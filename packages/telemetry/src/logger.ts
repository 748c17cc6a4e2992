import { isatty } from 'node:tty';
import type { LogEvent, Logger, LogLevel } from '@dunlin/broker';
import { destination, type Level, type Logger as Pino, pino, stdSerializers, stdTimeFunctions } from 'pino';
import { formatPretty } from './pretty.ts';

export type LogFormat = 'json' | 'pretty';

export interface LogOptions {
  level: LogLevel;
  format: LogFormat;
  /** Fields of every line: node, worker. */
  fields: Record<string, unknown>;
  /** File descriptor; standard output unless given. */
  descriptor?: number;
}

/** Terminals do, unless somebody has said that they shall not (https://no-color.org). */
export function showsColours(isTerminal: boolean, { NO_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  return isTerminal && (NO_COLOR ?? '') === '' && TERM !== 'dumb';
}

/** Characters that a client, or a server, may put into one field of a line. */
export const fieldCharactersMax = 128;

/** Fields that are the operator's or the program's own, however long. */
const whole = new Set(['error', 'store', 'backplane', 'directory', 'hung', 'reasons', 'reasons']);

/**
 * Texts of clients (identifiers, user names, topics) are as long as the client likes, and the log is the operator's disk: here is the one place where they are cut, so
 * that no caller can forget it.
 */
function cutFields(fields: Record<string, unknown>): Record<string, unknown> {
  let cut = fields;
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value !== 'string' || value.length <= fieldCharactersMax || whole.has(name)) continue;
    if (cut === fields) cut = { ...fields };
    cut[name] = `${value.slice(0, fieldCharactersMax).toWellFormed()}… (${value.length} characters)`;
  }
  return cut;
}

/**
 * The logger port over pino: one line an event, `{"level":"info","time":…,"node":…,"event":…,"msg":…}`.
 *
 * Every thread writes its lines itself, synchronously, to the same descriptor: a line is one `write`, so lines of different threads do not
 * mix, and the last words of a thread that dies are not lost on their way to another one.
 */
export class NodeLogger implements Logger {
  readonly #pino: Pino;

  constructor(options: LogOptions) {
    const descriptor = options.descriptor ?? 1;
    const out = destination({ fd: descriptor, sync: true });
    const isColoured = showsColours(isatty(descriptor), process.env);
    const target =
      options.format === 'json' ? out : { write: (line: string) => out.write(formatPretty(line, isColoured)) };
    this.#pino = pino(
      {
        level: options.level,
        base: options.fields,
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }), log: cutFields },
        serializers: { error: stdSerializers.err },
      },
      target,
    );
  }

  /** Takes effect with the next line. */
  setLevel(level: LogLevel): void {
    this.#pino.level = level satisfies Level;
  }

  debug(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#write('debug', event, fields);
  }

  info(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#write('info', event, fields);
  }

  warn(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#write('warn', event, fields);
  }

  error(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#write('error', event, fields);
  }

  /** Makes nothing for a line that is not written. */
  #write(level: LogLevel, event: LogEvent, fields: Record<string, unknown> | undefined): void {
    if (!this.#pino.isLevelEnabled(level)) return;
    this.#pino[level]({ event: event.name, ...fields }, event.message);
  }
}
