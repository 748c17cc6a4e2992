/** What one other endpoint sends here, and how far it was taken in: what is acknowledged, and which kept frames are dropped. */
import type { Acknowledgement, KeptHead } from './frames.ts';

/** Passing bytes are acknowledged when so many came, otherwise by the timer: they need no answer of their own. */
const passingAcknowledgedBytes = 256 * 1024;

export class InboundLink {
  /** 0: nothing came on any link yet. */
  private link = 0;
  private expected = 1;
  private round = 0;
  private isGap = false;
  private passing = 0;
  private broadcast = 0;
  /** Passing and broadcast bytes when they were last acknowledged. */
  private told = 0;

  private begin(link: number): void {
    this.link = link;
    this.expected = 1;
    this.round = 0;
    this.isGap = false;
    this.passing = 0;
    this.told = this.broadcast;
  }

  /** Whether a kept frame is the next one. Others are dropped: duplicates, and what came after one that was lost. */
  takeKept(head: KeptHead): boolean {
    if (head.link !== this.link) this.begin(head.link);
    // What the sender does not keep any more was acknowledged from here, before this side began anew.
    if (head.first > this.expected) this.expected = head.first;
    this.round = head.round;
    if (head.sequence > this.expected) this.isGap = true;
    if (head.sequence !== this.expected) return false;
    this.expected++;
    return true;
  }

  /** A passing frame that began at this position of its stream. Returns whether something before it was lost. */
  takePassing(link: number, position: number, size: number): boolean {
    if (link !== this.link) this.begin(link);
    const isLost = position > this.passing;
    this.passing = position + size;
    return isLost;
  }

  /** The same for broadcasts; the first one that is heard begins anywhere. */
  takeBroadcast(position: number, size: number): boolean {
    const isLost = this.broadcast > 0 && position > this.broadcast;
    if (this.broadcast === 0) this.told += position;
    this.broadcast = position + size;
    return isLost;
  }

  /** Passing bytes that were not acknowledged. */
  get untold(): number {
    return this.passing + this.broadcast - this.told;
  }

  get isPassingDue(): boolean {
    return this.untold >= passingAcknowledgedBytes;
  }

  acknowledgement(): Acknowledgement {
    const { link, round, isGap, passing, broadcast } = this;
    this.told = passing + broadcast;
    this.isGap = false;
    return { link, sequence: this.expected - 1, round, isGap, passing, broadcast };
  }
}
