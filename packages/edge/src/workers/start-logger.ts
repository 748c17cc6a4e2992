import type { Logger } from '@dunlin/broker';
import type { SpokenLines } from '@dunlin/telemetry';

/** Workers notice that a server went away, or came back, within some seconds of each other. */
const togetherSeconds = 10;

/**
 * Logger of a worker's adapters. While the node starts, its workers wait for the same servers with the same passwords:
 * one of them speaks for all, and the lines of the others are for debugging. Afterwards each speaks for itself, but of
 * what another has just said in the same words.
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

  debug(message: string, fields?: Record<string, unknown>): void {
    this.#logger.debug(message, fields);
  }

  info(message: string, fields?: Record<string, unknown>): void {
    this.#write('info', message, fields);
  }

  warn(message: string, fields?: Record<string, unknown>): void {
    this.#write('warn', message, fields);
  }

  error(message: string, fields?: Record<string, unknown>): void {
    this.#write('error', message, fields);
  }

  #write(level: 'info' | 'warn' | 'error', message: string, fields: Record<string, unknown> | undefined): void {
    const isSaid = this.#isQuiet || !this.#spoken.isMine(`${message} ${JSON.stringify(fields)}`, togetherSeconds);
    this.#logger[isSaid ? 'debug' : level](message, fields);
  }
}
