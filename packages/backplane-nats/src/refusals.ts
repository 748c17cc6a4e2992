/** Refused messages of the backplane: counted each, and logged at most once in an interval for each reason. */
import type { Clock, Logger } from '@dunlin/broker';
import { events } from './log-events.ts';

/**
 * Reason for which a message is not used.
 * - `unreadable`: no message, or of an unknown version
 * - `unsigned`: it has no signature, and needs one
 * - `forged`: its signature is of another secret, or of another subject
 * - `replayed`: it was heard before
 * - `needs-secret`: its sender takes signed messages alone, and this endpoint has no secret
 */
export const refusalReasons = ['unreadable', 'unsigned', 'forged', 'replayed', 'needs-secret'] as const;
export type RefusalReason = (typeof refusalReasons)[number];

/** Interval of log lines of one reason: a stranger in NATS publishes as often as it likes. */
const toldMilliseconds = 10_000;

export class Refusals {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #refused: (reason: RefusalReason) => void;
  readonly #told = new Map<RefusalReason, { at: number; untold: number }>();

  constructor(clock: Clock, logger: Logger, refused: (reason: RefusalReason) => void) {
    this.#clock = clock;
    this.#logger = logger;
    this.#refused = refused;
  }

  /** `from`: what the message says, which need not be true. */
  refuse(reason: RefusalReason, from: string, error: unknown = undefined): void {
    this.#refused(reason);
    const now = this.#clock.now();
    const told = this.#told.get(reason);
    if (told !== undefined && now - told.at < toldMilliseconds) {
      told.untold++;
      return;
    }
    this.#told.set(reason, { at: now, untold: 0 });
    const messages = (told?.untold ?? 0) + 1;
    this.#logger.error(events['frame.refused'], {
      ...{ from, reason, messages },
      ...(error === undefined ? {} : { error }),
    });
  }
}
