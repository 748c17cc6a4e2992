import type { Clock, EndpointId, Leases, Logger } from '@dunlin/broker';
import { events } from './log-events.ts';
import { OwnLease, type Renewal } from './own-lease.ts';
import type { Timings } from './timings.ts';

export interface OwnLivenessEvents {
  /** The store answers that this endpoint was evicted. */
  evicted(): void;
  /** Called when neither the store, for the time of a lease, nor NATS could confirm that it lives. */
  lost(): void;
  /** Called after `lost`: it lives. */
  regained(): void;
}

export interface OwnLivenessOptions {
  self: EndpointId;
  /** Null: there is no store; then the endpoint is never lost and never in doubt. */
  leases: Leases | null;
  timings: Readonly<Timings>;
  clock: Clock;
  logger: Logger;
}

/**
 * Liveness of this endpoint: whether it may still act. Others may evict it once its lease is over. So it has to detect
 * by itself when that may have happened: when it could reach neither store nor NATS, and when it stood still without
 * noticing, as a stopped process or a blocked event loop does.
 */
export class OwnLiveness {
  readonly #lease: OwnLease | null;
  readonly #timings: Readonly<Timings>;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #events: OwnLivenessEvents;
  #passedAt = 0;
  #sinceRenewal = 0;
  /** Time at which a stall of more than a lease was detected; 0: there was none, or the lease held after all. */
  #doubtedAt = 0;
  #isLost = false;
  #isOver = false;

  constructor({ self, leases, timings, clock, logger }: OwnLivenessOptions, events: OwnLivenessEvents) {
    this.#timings = timings;
    this.#logger = logger;
    this.#clock = clock;
    this.#events = events;
    this.#lease =
      leases === null
        ? null
        : new OwnLease({ self, leases, timings, clock, logger, renewed: (how) => this.#renewed(how) });
  }

  start(): void {
    this.#passedAt = this.#clock.now();
    this.renew();
  }

  renew(): void {
    if (!this.#isOver) this.#lease?.renew();
  }

  /** Ends all events. */
  stop(): void {
    this.#isOver = true;
  }

  /** Gives the lease up. Never rejects. */
  async end(): Promise<void> {
    await this.#lease?.end();
  }

  /** False after a stall until the lease is known to hold: others may have evicted this endpoint, and act on it. */
  mayAct(): boolean {
    if (this.#doubtedAt === 0) this.#look(this.#clock.now());
    return this.#doubtedAt === 0;
  }

  /** Lets time pass. `soon`: half of the span between two calls. Returns the milliseconds since the last call. */
  pass(now: number, soon: number): number {
    this.#look(now);
    // The clock was set back: then this span is unknown.
    const elapsed = Math.max(0, now - this.#passedAt);
    this.#passedAt = now;
    this.#sinceRenewal += elapsed;
    // A store that does not answer decides nothing: if this endpoint was evicted, others say so when they hear it.
    if (this.#doubtedAt !== 0 && now - this.#doubtedAt >= this.#timings.askMilliseconds) this.#doubtedAt = 0;
    if (this.#sinceRenewal + soon >= this.#timings.renewMilliseconds) {
      this.#sinceRenewal = 0;
      this.renew();
    }
    return elapsed;
  }

  /**
   * Checks whether the endpoint is lost. `freshMilliseconds`: time for which NATS has been reached without a break; 0:
   * it is not reached.
   */
  check(now: number, freshMilliseconds: number): void {
    if (this.#lease === null || this.#isOver) return;
    if (this.#isLost) {
      // Without the store only the others can tell that this endpoint was evicted: they have had the time to, after its
      // first heartbeats.
      const { askMilliseconds, heartbeatMilliseconds } = this.#timings;
      if (freshMilliseconds >= askMilliseconds + heartbeatMilliseconds) this.#regain();
    } else if (!this.#lease.isHeld(now) && freshMilliseconds === 0) {
      this.#isLost = true;
      this.#logger.error(events['lease.expired']);
      this.#events.lost();
    }
  }

  /** Detects a stall, once: in a call of a sender or of the timer, whichever comes first. */
  #look(now: number): void {
    const stillMilliseconds = now - this.#passedAt;
    if (this.#lease === null || stillMilliseconds < this.#timings.leaseMilliseconds || this.#lease.isHeld(now)) return;
    this.#passedAt = now;
    this.#doubtedAt = now;
    this.#logger.warn(events['event-loop.stalled'], { milliseconds: stillMilliseconds });
    this.renew();
  }

  #renewed(renewal: Renewal): void {
    if (this.#isOver) return;
    if (renewal === 'evicted') {
      this.#events.evicted();
      return;
    }
    this.#doubtedAt = 0;
    if (renewal === 'held') this.#regain();
  }

  #regain(): void {
    if (!this.#isLost) return;
    this.#isLost = false;
    this.#logger.info(events['lease.regained']);
    this.#events.regained();
  }
}
