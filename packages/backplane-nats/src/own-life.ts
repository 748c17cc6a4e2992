import type { Clock, EndpointId, Leases, Logger } from '@dunlin/broker';
import { events } from './log-events.ts';
import { OwnLease, type Renewal } from './own-lease.ts';
import type { Timings } from './timings.ts';

export interface OwnLifeEvents {
  /** The store says that this endpoint is dead. */
  evicted(): void;
  /** Called when neither the store, for the time of a lease, nor NATS could say that it lives. */
  lost(): void;
  /** Called after `lost`: it lives. */
  regained(): void;
}

export interface OwnLifeOptions {
  self: EndpointId;
  /** Null: there is no store; then nothing is ever lost or held up. */
  leases: Leases | null;
  timings: Readonly<Timings>;
  clock: Clock;
  logger: Logger;
}

/**
 * Life of this endpoint: whether it may still act. It is dead for others once its lease is over and somebody asked, so
 * it has to know of itself when that may be: when it could reach nobody, and when it stood still, as a stopped process
 * or a blocked event loop does, without noticing.
 */
export class OwnLife {
  readonly #lease: OwnLease | null;
  readonly #timings: Readonly<Timings>;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #events: OwnLifeEvents;
  #passedAt = 0;
  #sinceRenewal = 0;
  /**
   * Time at which it was found to have stood still for longer than its lease; 0: it did not, or the lease held after
   * all.
   */
  #doubtedAt = 0;
  #isLost = false;
  #isOver = false;

  constructor({ self, leases, timings, clock, logger }: OwnLifeOptions, events: OwnLifeEvents) {
    this.#timings = timings;
    this.#logger = logger;
    this.#clock = clock;
    this.#events = events;
    this.#lease =
      leases === null ? null : new OwnLease(self, leases, timings, clock, logger, (how) => this.#renewed(how));
  }

  start(): void {
    this.#passedAt = this.#clock.now();
    this.renew();
  }

  renew(): void {
    if (!this.#isOver) this.#lease?.renew();
  }

  /** No event comes any more. */
  stop(): void {
    this.#isOver = true;
  }

  /** Gives the lease up. Never rejected. */
  async end(): Promise<void> {
    await this.#lease?.end();
  }

  /** False after a stall, until the lease is known to hold: others may have found this endpoint dead, and act on it. */
  mayAct(): boolean {
    if (this.#doubtedAt === 0) this.#look(this.#clock.now());
    return this.#doubtedAt === 0;
  }

  /** Time passes. `soon`: half of the span between two calls. Returns the milliseconds since the last call. */
  pass(now: number, soon: number): number {
    this.#look(now);
    // Back in time: a clock that was set. Then nothing is known about this span.
    const elapsed = Math.max(0, now - this.#passedAt);
    this.#passedAt = now;
    this.#sinceRenewal += elapsed;
    // A store that does not answer decides nothing: if others hold this endpoint for dead, they say so when they hear it.
    if (this.#doubtedAt !== 0 && now - this.#doubtedAt >= this.#timings.askMilliseconds) this.#doubtedAt = 0;
    if (this.#sinceRenewal + soon >= this.#timings.renewMilliseconds) {
      this.#sinceRenewal = 0;
      this.renew();
    }
    return elapsed;
  }

  /** `freshMilliseconds`: for how long NATS has been reached without a break; 0: it is not reached. */
  check(now: number, freshMilliseconds: number): void {
    if (this.#lease === null || this.#isOver) return;
    if (this.#isLost) {
      // Without the store only the others can say that this endpoint is dead: they have had the time to, after its first heartbeats.
      const { askMilliseconds, heartbeatMilliseconds } = this.#timings;
      if (freshMilliseconds >= askMilliseconds + heartbeatMilliseconds) this.#regain();
    } else if (!this.#lease.isHeld(now) && freshMilliseconds === 0) {
      this.#isLost = true;
      this.#logger.error(events['lease.expired']);
      this.#events.lost();
    }
  }

  /** Finds a stall: once, by whoever comes first, a sender or the timer. */
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
