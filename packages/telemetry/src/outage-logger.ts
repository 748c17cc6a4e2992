import { type LogEvent, type Logger, StoreError } from '@dunlin/broker/ports';
import { events } from './log-events.ts';
import { SpokenLines } from './spoken-lines.ts';

/** Failures begin a moment before the connection is known to be lost: what was said so recently belongs to the same outage. */
const recentMilliseconds = 10_000;

/**
 * Logger that thins out lines about calls that the store did not take. While the store is away every session and every
 * batch finds out for itself, several times a second: each kind of line is written once in an outage, by one worker for
 * all of the node; the others are for debugging, and the end of the outage says how many there were in this worker. A
 * store that fails without being away is said so every ten seconds.
 */
export class OutageLogger implements Logger {
  readonly #logger: Logger;
  readonly #spoken: SpokenLines;
  #awaySince = 0;
  #isAway = false;
  /** Kinds of lines, and when each was written. */
  readonly #saidAt = new Map<string, number>();
  #unsaid = 0;

  constructor(logger: Logger, spoken: SpokenLines = new SpokenLines()) {
    this.#logger = logger;
    this.#spoken = spoken;
  }

  /** Called whenever the store comes or goes. */
  storeConnected(isConnected: boolean): void {
    if (this.#isAway === !isConnected) return;
    this.#isAway = !isConnected;
    if (!isConnected) {
      this.#awaySince = performance.now();
      return;
    }
    const counts = { kindsOfFailures: this.#saidAt.size, furtherFailures: this.#unsaid };
    const event = events['store.recovered'];
    const isMine = this.#saidAt.size > 0 && this.#spoken.isMine(event.name, recentMilliseconds / 1000);
    if (isMine) this.#logger.info(event, counts);
    else if (this.#saidAt.size > 0) this.#logger.debug(event, counts);
    this.#saidAt.clear();
    this.#unsaid = 0;
  }

  debug(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#logger.debug(event, fields);
  }

  info(event: LogEvent, fields?: Record<string, unknown>): void {
    this.#logger.info(event as LogEvent<'info'>, fields);
  }

  warn(event: LogEvent, fields?: Record<string, unknown>): void {
    if (this.#isNew(event, fields)) this.#logger.warn(event as LogEvent<'warn'>, fields);
    else this.#logger.debug(event, fields);
  }

  error(event: LogEvent, fields?: Record<string, unknown>): void {
    if (this.#isNew(event, fields)) this.#logger.error(event as LogEvent<'error'>, fields);
    else this.#logger.debug(event, fields);
  }

  /** True for a line that was not written yet in this outage. */
  #isNew(event: LogEvent, fields: Record<string, unknown> | undefined): boolean {
    if (!(fields?.error instanceof StoreError)) return true;
    const now = performance.now();
    // Each regular job fails by itself.
    const name = fields.job === undefined ? event.name : `${event.name} ${fields.job}`;
    const saidAt = this.#saidAt.get(name);
    if (saidAt === undefined || (!this.#isAway && now - saidAt >= recentMilliseconds)) {
      this.#saidAt.set(name, now);
      const sinceMilliseconds = this.#isAway ? now - this.#awaySince : 0;
      if (this.#spoken.isMine(name, Math.ceil((sinceMilliseconds + recentMilliseconds) / 1000))) return true;
    }
    this.#unsaid++;
    return false;
  }
}
