import type { Logger } from '@dunlin/broker';

/**
 * What the adapters of a worker say. While the node starts, its workers wait for the same servers with the same passwords: one of them speaks for all, and
 * the lines of the others are for debugging. Afterwards each speaks for itself.
 */
export class StartLogger implements Logger {
  readonly #logger: Logger;
  #isQuiet: boolean;

  constructor(logger: Logger, isQuiet: boolean) {
    this.#logger = logger;
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
    if (this.#isQuiet) this.#logger.debug(message, fields);
    else this.#logger.info(message, fields);
  }

  warn(message: string, fields?: Record<string, unknown>): void {
    if (this.#isQuiet) this.#logger.debug(message, fields);
    else this.#logger.warn(message, fields);
  }

  error(message: string, fields?: Record<string, unknown>): void {
    if (this.#isQuiet) this.#logger.debug(message, fields);
    else this.#logger.error(message, fields);
  }
}
