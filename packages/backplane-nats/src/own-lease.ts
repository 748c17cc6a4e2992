import type { Clock, EndpointId, Leases, Logger } from '@dunlin/broker';
import { events } from './log-events.ts';
import type { Timings } from './timings.ts';

/** Result of a renewal. `unknown`: the store could not be asked. */
export type Renewal = 'held' | 'evicted' | 'unknown';

export interface OwnLeaseParts {
  self: EndpointId;
  leases: Leases;
  timings: Readonly<Timings>;
  clock: Clock;
  logger: Logger;
  /** Called after every renewal, once. */
  renewed: (renewal: Renewal) => void;
}

/** Lease of this endpoint. It counts from the time of the request, so it never seems longer here than in the store. */
export class OwnLease {
  readonly #self: EndpointId;
  readonly #leases: Leases;
  readonly #timings: Readonly<Timings>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #renewed: (renewal: Renewal) => void;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #askedAt = 0;
  /** Number of the request that is open; 0: none. */
  #open = 0;
  #questions = 0;
  #failing = false;

  constructor({ self, leases, timings, clock, logger, renewed }: OwnLeaseParts) {
    this.#self = self;
    this.#leases = leases;
    this.#timings = timings;
    this.#clock = clock;
    this.#logger = logger;
    this.#renewed = renewed;
  }

  /** True when the last successful renewal still counts. */
  isHeld(now: number): boolean {
    return now - this.#renewedAt < this.#timings.leaseMilliseconds;
  }

  /** Requests a renewal, unless a recent request is not answered yet. */
  renew(): void {
    const now = this.#clock.now();
    if (this.#open !== 0) {
      if (now - this.#askedAt < this.#timings.askMilliseconds) return;
      this.#settle(this.#open, 'unknown');
    }
    const question = ++this.#questions;
    this.#open = question;
    this.#askedAt = now;
    this.#leases.renew(this.#self, this.#timings.leaseMilliseconds).then(
      (lives) => {
        // A late success counts too, from the time of its request.
        if (lives) this.#renewedAt = Math.max(this.#renewedAt, now);
        if (lives) this.#settle(question, 'held');
        else this.#renewed('evicted');
      },
      (error: unknown) => {
        this.#explain(error);
        this.#settle(question, 'unknown');
      },
    );
  }

  /** Gives the lease up. */
  async end(): Promise<void> {
    try {
      await this.#leases.end(this.#self);
    } catch (error) {
      // It ends by itself.
      this.#logger.warn(events['lease.release-failed'], { error });
    }
  }

  #settle(question: number, renewal: Renewal): void {
    if (question !== this.#open) return;
    this.#open = 0;
    if (renewal === 'held') this.#failing = false;
    this.#renewed(renewal);
  }

  #explain(error: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#logger.warn(events['lease.renew-failed'], { error });
  }
}
