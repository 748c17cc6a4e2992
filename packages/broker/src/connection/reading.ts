/**
 * Pausing of a client's socket (P7). It is not read while something that the client feeds is full: pending
 * acknowledgements, links to other endpoints, packets held behind one that waits, answers that the client does not
 * read, or while it is over a rate. It is read again when none of these is left.
 */
import type { Outlet, OutletReading } from '../output/outlet.ts';
import type { Clock } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import type { Transport } from '../ports/transport.ts';

/** Bytes of held packets up to which the socket is read. */
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
  /** The socket is not read to its end, since the client is about to be disconnected. */
  private isStopped = false;
  /** Links (cluster/link.ts) and writes to the store (message/write-backlog.ts) that this client's publishes have filled. */
  private fullQueues = 0;
  /** The client is over a rate (guards/client-rates.ts). */
  isOverRate = false;
  /** The client has had its share of this turn (work/turn-share.ts). */
  private waitsForTurn = false;

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
   * A client that sends and does not read makes answers grow in memory. QoS 0 messages stop at `outputBufferBytesMax`;
   * at twice that, its own packets, which cause the other bytes, are not read either until the socket has drained.
   */
  pauseIfUnread(): void {
    if (this.outlet.output.pendingBytes > 2 * this.limits.outputBufferBytesMax) this.pause();
  }

  /** Bytes of packets held behind one that waits have changed. */
  held(bytes: number): void {
    if (bytes > heldBytesMax) this.pause();
  }

  /** Acknowledgements wait for the store or for other endpoints: above the window the socket is not read. */
  acknowledgementPending(): void {
    const { acknowledgements } = this.outlet;
    if (acknowledgements !== null && acknowledgements.length > this.limits.receiveMaximum) this.pause();
  }

  acknowledgementsSent(): void {
    this.owner.holding.wakeSettled();
    this.resumeIfRoom();
  }

  holdForRoom(): void {
    this.fullQueues++;
    this.pause();
  }

  releaseForRoom(): void {
    this.fullQueues--;
    if (!this.outlet.output.isClosed) this.resumeIfRoom();
  }

  holdForRate(): void {
    this.isOverRate = true;
    this.pause();
  }

  releaseFromRate(): void {
    this.isOverRate = false;
    if (!this.outlet.output.isClosed) this.resumeIfRoom();
  }

  holdForTurn(clock: Clock): void {
    if (this.waitsForTurn) return;
    this.waitsForTurn = true;
    this.pause();
    clock.nextTurn(() => {
      this.waitsForTurn = false;
      if (!this.outlet.output.isClosed) this.resumeIfRoom();
    });
  }

  /** Stops: packets that the client sends from now on are not read any more. */
  stop(): void {
    this.isStopped = true;
    this.pause();
  }

  /**
   * True if the socket is paused, for another reason than a client that does not read: then silence says nothing about
   * the client.
   */
  get isHeldBack(): boolean {
    return this.isPaused && this.outlet.output.pendingBytes <= 2 * this.limits.outputBufferBytesMax;
  }

  resumeIfRoom(): void {
    if (!this.isPaused || this.isStopped || this.fullQueues > 0 || this.isOverRate || this.waitsForTurn) return;
    if (this.owner.holding.bytes > heldBytesMax) return;
    const { output, acknowledgements } = this.outlet;
    if (output.isCongested && output.pendingBytes > 2 * this.limits.outputBufferBytesMax) return;
    if (acknowledgements !== null && acknowledgements.length > this.limits.receiveMaximum / 2) return;
    this.isPaused = false;
    this.owner.readingResumed();
    this.transport.resume();
  }
}
