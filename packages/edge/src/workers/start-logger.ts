import type { LogEvent, Logger } from '@dunlin/broker';
import type { SpokenLines } from '@dunlin/telemetry';

/** Time within which workers notice that a server went away, or came back. */
const togetherSeconds = 10;

/**
 * Logger of a worker's adapters. While the node starts, its workers wait for the same servers with the same passwords:
 * one worker logs for all, and the lines of the others are debug lines. Afterwards each logs for itself, except what
 * another has just logged in the same words.
 */
export class StartLogger implements Logger {
  readonly #logger: Logger;
  readonly #spoken: SpokenLines;
  #isQuiet: boolean;

  constructor(logger: Logger, spoken: SpokenLines, isQuiet: boolean) {
    this.#logger = logger;
    this.#spoken = spoken;
    this.#isQuiet = isQuiet;
  }

  /** The worker has started. */
  speak(): void {
    this.#isQuiet = false;
  }

  debug(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#logger.debug(event, fields);
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

  #write(level: 'info' | 'warn' | 'error', event: LogEvent, fields: Record<string, unknown> | undefined): void {
    const line = `${event.name} ${JSON.stringify(fields)}`;
    const isSaid = this.#isQuiet || !this.#spoken.isMine(line, togetherSeconds);
    this.#logger[isSaid ? 'debug' : level](event as never, fields);
  }
}
