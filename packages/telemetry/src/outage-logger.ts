import type { Logger } from '@dunlin/broker';

/**
 * What the broker says of calls that the store did not take. While the store is away every session and every batch finds out for itself, several times a second: each
 * kind of line is written once in an outage, the others are for debugging, and the end of the outage says how many there were.
 */
export class OutageLogger implements Logger {
  readonly #logger: Logger;
  #isAway = false;
  readonly #said = new Set<string>();
  #unsaid = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Called whenever the store comes or goes. */
  storeConnected(isConnected: boolean): void {
    if (this.#isAway === !isConnected) return;
    this.#isAway = !isConnected;
    if (isConnected && this.#said.size > 0)
      this.#logger.info('the store is back', { kindsOfFailures: this.#said.size, furtherFailures: this.#unsaid });
    this.#said.clear();
    this.#unsaid = 0;
  }

  debug(message: string, fields?: Record<string, unknown>): void {
    this.#logger.debug(message, fields);
  }

  info(message: string, fields?: Record<string, unknown>): void {
    this.#logger.info(message, fields);
  }

  warn(message: string, fields?: Record<string, unknown>): void {
    if (this.#isNew(message, fields)) this.#logger.warn(message, fields);
    else this.#logger.debug(message, fields);
  }

  error(message: string, fields?: Record<string, unknown>): void {
    if (this.#isNew(message, fields)) this.#logger.error(message, fields);
    else this.#logger.debug(message, fields);
  }

  /** Whether the line says something that was not said in this outage. */
  #isNew(message: string, fields: Record<string, unknown> | undefined): boolean {
    if (!this.#isAway || !String(fields?.error ?? '').startsWith('StoreError')) return true;
    if (!this.#said.has(message)) {
      this.#said.add(message);
      return true;
    }
    this.#unsaid++;
    return false;
  }
}
