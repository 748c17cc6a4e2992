/**
 * Reading of a client's socket (P7). It is not while something that the client feeds is full: acknowledgements that
 * wait, links to other endpoints, packets behind one that is waited for, answers that it does not read. It goes on when
 * none of these is left.
 */
import type { Outlet, OutletReading } from '../output/outlet.ts';
import type { Limits } from '../ports/limits.ts';
import type { Transport } from '../ports/transport.ts';

/** Packets behind something that is waited for are held up to this; then the socket is not read. */
const heldBytesMax = 64 * 1024;

export interface ReadingOwner {
  readonly holding: { readonly bytes: number; wakeSettled(): void };
  readingResumed(): void;
}

export class Reading implements OutletReading {
  private readonly outlet: Outlet;
  private readonly transport: Transport;
  private readonly limits: Limits;
  private readonly owner: ReadingOwner;
  private isPaused = false;
  /** True when it is not read to its end, since the client is to be sent away. */
  private isStopped = false;
  /** Links that this client's publishes have filled (cluster/link.ts). */
  private fullLinks = 0;

  constructor(outlet: Outlet, transport: Transport, limits: Limits, owner: ReadingOwner) {
    this.outlet = outlet;
    this.transport = transport;
    this.limits = limits;
    this.owner = owner;
  }

  private pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.transport.pause();
  }

  /**
   * A client that sends and does not read makes answers grow in our memory. QoS 0 messages stop at `outputBufferBytesMax`; at twice that its
   * own packets, which are what the rest is an answer to, are not read either until the socket has drained.
   */
  pauseIfUnread(): void {
    if (this.outlet.output.pendingBytes > 2 * this.limits.outputBufferBytesMax) this.pause();
  }

  /** Packets of so many bytes are held behind one that is waited for. */
  held(bytes: number): void {
    if (bytes > heldBytesMax) this.pause();
  }

  /** Acknowledgements that wait for the store or for others: above the window the socket is not read. */
  acknowledgementPending(): void {
    const { acknowledgements } = this.outlet;
    if (acknowledgements !== null && acknowledgements.length > this.limits.receiveMaximum) this.pause();
  }

  acknowledgementsSent(): void {
    this.owner.holding.wakeSettled();
    this.resumeIfRoom();
  }

  holdForLink(): void {
    this.fullLinks++;
    this.pause();
  }

  releaseFromLink(): void {
    this.fullLinks--;
    if (!this.outlet.output.closed) this.resumeIfRoom();
  }

  /** Stops: packets that the client sends from now on are not read any more. */
  stop(): void {
    this.isStopped = true;
    this.pause();
  }

  /** The socket is not read, and not since the client does not read either: that nothing comes says nothing about the client. */
  get isHeldBack(): boolean {
    return this.isPaused && this.outlet.output.pendingBytes <= 2 * this.limits.outputBufferBytesMax;
  }

  resumeIfRoom(): void {
    if (!this.isPaused || this.isStopped || this.fullLinks > 0 || this.owner.holding.bytes > heldBytesMax) return;
    const { output, acknowledgements } = this.outlet;
    if (output.congested && output.pendingBytes > 2 * this.limits.outputBufferBytesMax) return;
    if (acknowledgements !== null && acknowledgements.length > this.limits.receiveMaximum / 2) return;
    this.isPaused = false;
    this.owner.readingResumed();
    this.transport.resume();
  }
}
