/**
 * Deadlines of connections in whole seconds: CONNECT, keep alive, partial packets. One timer per worker, not per
 * client: each connection lies in the bucket of the second of its next check, and returns the second of the one after.
 * Receiving a packet costs one store of a number.
 */
import type { Clock } from '../ports/clock.ts';

export interface KeepAliveEntry {
  checkAtSecond: number;
  /** Checks its deadlines; returns the second of the next check, 0 for none. */
  checkDeadline(nowSecond: number): number;
}

export class KeepAlive {
  /** Seconds on a monotonic count of our own, renewed every half second. */
  nowSecond: number;
  private readonly clock: Clock;
  private readonly buckets = new Map<number, Set<KeepAliveEntry>>();
  private lastChecked: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.nowSecond = Math.floor(clock.now() / 1000);
    this.lastChecked = this.nowSecond;
    clock.every(500, () => this.tick());
  }

  /** Schedules the check of the entry in this second, and cancels an earlier one. */
  watch(entry: KeepAliveEntry, second: number): void {
    this.forget(entry);
    // A clock that was set back must not put it into a bucket that was checked already.
    second = Math.max(second, this.lastChecked + 1);
    entry.checkAtSecond = second;
    const bucket = this.buckets.get(second);
    if (bucket === undefined) this.buckets.set(second, new Set([entry]));
    else bucket.add(entry);
  }

  forget(entry: KeepAliveEntry): void {
    if (entry.checkAtSecond === 0) return;
    const bucket = this.buckets.get(entry.checkAtSecond);
    if (bucket?.delete(entry) && bucket.size === 0) this.buckets.delete(entry.checkAtSecond);
    entry.checkAtSecond = 0;
  }

  private tick(): void {
    this.nowSecond = Math.floor(this.clock.now() / 1000);
    if (this.nowSecond - this.lastChecked > this.buckets.size) {
      this.jump();
      return;
    }
    while (this.lastChecked < this.nowSecond) this.checkSecond(++this.lastChecked);
  }

  /** The clock has jumped further than there are buckets: each bucket is checked once, not every second between. */
  private jump(): void {
    this.lastChecked = this.nowSecond;
    const due = [...this.buckets.keys()].filter((second) => second <= this.nowSecond).sort((a, b) => a - b);
    for (const second of due) this.checkSecond(second);
  }

  private checkSecond(second: number): void {
    const bucket = this.buckets.get(second);
    if (bucket === undefined) return;
    this.buckets.delete(second);
    for (const entry of bucket) this.check(entry);
  }

  private check(entry: KeepAliveEntry): void {
    entry.checkAtSecond = 0;
    const next = entry.checkDeadline(this.nowSecond);
    if (next > 0 && entry.checkAtSecond === 0) this.watch(entry, Math.max(next, this.lastChecked + 1));
  }
}
