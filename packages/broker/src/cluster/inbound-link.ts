/**
 * The receiving side of a link: how far the frames of one other endpoint were accepted, which is acknowledged, and
 * which kept frames are dropped.
 */
import type { Acknowledgement, KeptHead } from './frames.ts';

/** Passing bytes are acknowledged after so many, otherwise by the timer: they need no answer of their own. */
const passingAcknowledgedBytes = 256 * 1024;

export class InboundLink {
  /** Id of the link; 0: nothing has come on any link. */
  private link = 0;
  private expected = 1;
  private round = 0;
  private isGap = false;
  private passing = 0;
  private broadcast = 0;
  /** Passing and broadcast bytes when they were last acknowledged. */
  private acknowledgedBytes = 0;

  private begin(link: number): void {
    this.link = link;
    this.expected = 1;
    this.round = 0;
    this.isGap = false;
    this.passing = 0;
    this.acknowledgedBytes = this.broadcast;
  }

  /** True when a kept frame is the next one. Others are dropped: duplicates, and frames after one that was lost. */
  acceptKept(head: KeptHead): boolean {
    if (head.link !== this.link) this.begin(head.link);
    // Frames that the sender no longer keeps were acknowledged from here, before this side began anew.
    if (head.first > this.expected) this.expected = head.first;
    this.round = head.round;
    if (head.sequence > this.expected) this.isGap = true;
    if (head.sequence !== this.expected) return false;
    this.expected++;
    return true;
  }

  /** Notes a passing frame that began at this position of its stream. Returns whether something before it was lost. */
  acceptPassing(link: number, position: number, size: number): boolean {
    if (link !== this.link) this.begin(link);
    const isLost = position > this.passing;
    this.passing = position + size;
    return isLost;
  }

  /** The same for broadcasts; the first that is heard begins anywhere. */
  acceptBroadcast(position: number, size: number): boolean {
    const isLost = this.broadcast > 0 && position > this.broadcast;
    if (this.broadcast === 0) this.acknowledgedBytes += position;
    this.broadcast = position + size;
    return isLost;
  }

  /** Passing bytes that were not acknowledged. */
  get unacknowledgedBytes(): number {
    return this.passing + this.broadcast - this.acknowledgedBytes;
  }

  get isPassingDue(): boolean {
    return this.unacknowledgedBytes >= passingAcknowledgedBytes;
  }

  acknowledgement(): Acknowledgement {
    const { link, round, isGap, passing, broadcast } = this;
    this.acknowledgedBytes = passing + broadcast;
    this.isGap = false;
    return { link, sequence: this.expected - 1, round, isGap, passing, broadcast };
  }
}
