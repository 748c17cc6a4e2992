/**
 * How many spans a thread may make: so many a second, and no more, whoever asks for them. A span costs some ten microseconds until it is with the collector, and a publisher that
 * marks all that it sends, or a message to a hundred thousand subscribers, must not turn a broker into a maker of spans.
 *
 * A publish is traced when there is something left. Its deliveries may overdraw by one second's worth, so that a tree that was begun is whole.
 */
export class SpanAllowance {
  private readonly perSecond: number;
  private left: number;
  private renewedAt: number;
  private readonly now: () => number;

  /** `now`: milliseconds that only grow. */
  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.perSecond = perSecond;
    this.left = perSecond;
    this.now = now;
    this.renewedAt = now();
  }

  /** Whether a publish may be traced. */
  takeForPublish(): boolean {
    return this.take(0);
  }

  /** Whether a delivery of a traced message may have its span. */
  takeForDelivery(): boolean {
    return this.take(-this.perSecond);
  }

  private take(least: number): boolean {
    const now = this.now();
    this.left = Math.min(this.perSecond, this.left + ((now - this.renewedAt) / 1000) * this.perSecond);
    this.renewedAt = now;
    if (this.left - 1 < least) return false;
    this.left--;
    return true;
  }
}
