/** Times of a chunk that is worked off lag behind the clock by less than this. */
const setBackMilliseconds = 1000;

/**
 * Limit of the spans that a thread may make: so many a second, and no more, whoever asks for them. Until it is with the
 * collector a span costs ten microseconds where spans are made all the time, and several times that where they are rare
 * (measured: 20 pairs at full speed, 1 % sampled, without a bound: 2.4 times the CPU). A publisher that marks all that
 * it sends, or a message to a hundred thousand subscribers, must not turn a broker into a maker of spans.
 *
 * A publish is traced when there is something left. Its deliveries may overdraw by one second's worth, so that a tree that was begun is whole.
 */
export class SpanAllowance {
  private readonly perSecond: number;
  private left: number;
  private renewedAt: number;
  private readonly now: () => number;

  /** `now`: milliseconds. */
  constructor(perSecond: number, now: () => number = Date.now) {
    this.perSecond = perSecond;
    this.left = perSecond;
    this.now = now;
    this.renewedAt = now();
  }

  /** True when a publish could be traced now. */
  hasLeft(now: number): boolean {
    this.renew(now);
    return this.left >= 1;
  }

  /** Takes from the allowance for a publish; true: it may be traced. */
  takeForPublish(): boolean {
    return this.take(0);
  }

  /** Takes from the allowance for a delivery of a traced message; true: it may have its span. */
  takeForDelivery(): boolean {
    return this.take(-this.perSecond);
  }

  private renew(now: number): void {
    const milliseconds = now - this.renewedAt;
    // A look at the time that is a little older than the last one gives nothing; a clock that was set back begins anew.
    if (milliseconds < 0 && milliseconds > -setBackMilliseconds) return;
    this.left = Math.min(this.perSecond, this.left + (Math.max(0, milliseconds) / 1000) * this.perSecond);
    this.renewedAt = now;
  }

  private take(least: number): boolean {
    this.renew(this.now());
    if (this.left - 1 < least) return false;
    this.left--;
    return true;
  }
}
