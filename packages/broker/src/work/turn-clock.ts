import type { Clock } from '../ports/clock.ts';

/** The time that a worker's turn of work counts with: one look at the clock for a chunk or a frame, not for each message in it. */
export class TurnClock {
  /** Milliseconds since 1970. */
  now: number;
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
    this.now = clock.now();
  }

  /** Something new begins: bytes have come, or a timer is due. */
  renew(): number {
    this.now = this.clock.now();
    return this.now;
  }
}
