/**
 * Barrier for route changes: waits until every live endpoint has confirmed a change, or until a bounded time has passed
 * (P5).
 */
import type { Clock } from '../ports/clock.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';

interface Waiter {
  sequence: number;
  since: number;
  done: () => void;
}

export class RouteBarrier {
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly metrics: Metrics;
  private readonly waitMilliseconds: number;
  private waiters: Waiter[] = [];

  constructor(clock: Clock, logger: Logger, metrics: Metrics, waitMilliseconds: number) {
    this.clock = clock;
    this.logger = logger;
    this.metrics = metrics;
    this.waitMilliseconds = waitMilliseconds;
  }

  get isWaitedFor(): boolean {
    return this.waiters.length > 0;
  }

  /** True when a waiter has waited for this long. Waiters are in order of their arrival, so the first decides. */
  hasWaited(milliseconds: number): boolean {
    return this.waiters.length > 0 && this.clock.now() - this.waiters[0].since >= milliseconds;
  }

  wait(sequence: number): Promise<void> {
    return new Promise((done) => this.waiters.push({ sequence, since: this.clock.now(), done }));
  }

  /** Every endpoint has confirmed all changes up to this number. */
  confirmed(sequence: number): void {
    if (this.waiters.length === 0) return;
    const waiting = this.waiters;
    this.waiters = [];
    for (const waiter of waiting) {
      if (waiter.sequence <= sequence) waiter.done();
      else this.waiters.push(waiter);
    }
  }

  giveUpLate(): void {
    if (!this.hasWaited(this.waitMilliseconds)) return;
    const now = this.clock.now();
    const late = this.waiters.filter((waiter) => now - waiter.since >= this.waitMilliseconds);
    this.waiters = this.waiters.filter((waiter) => now - waiter.since < this.waitMilliseconds);
    this.metrics.barrierTimeouts += late.length;
    this.logger.warn(events['route.confirm-timed-out'], { subscriptions: late.length });
    for (const waiter of late) waiter.done();
  }
}
