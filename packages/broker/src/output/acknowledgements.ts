/** Pending acknowledgements (P1), and the order in which a client gets them. */
import { ReasonCode } from '@dunlin/protocol';
import { type HeldPublisher, Pending } from '../message/pending.ts';
import type { PublishSpan } from '../ports/tracer.ts';
import type { Outlet } from './outlet.ts';

/** A PUBACK (type 4) or PUBREC (type 5) to be sent. */
export class PendingAcknowledgement extends Pending {
  readonly outlet: Outlet;
  readonly type: 4 | 5;
  readonly packetId: number;
  reasonCode = 0;
  /** Reason string; empty: none. */
  reasonString = '';
  /** Time at which its PUBLISH was read, milliseconds since 1970. */
  readonly readAt: number;
  /** Span of the publish, ended when the acknowledgement is sent; null: not traced. */
  span: PublishSpan | null = null;
  /** Number of packets that it acknowledges. */
  count = 1;
  /** PUBACKs of a batch of packets (publish-batch.ts), instead of one for `packetId`. */
  block: Buffer | null = null;

  constructor(outlet: Outlet, type: 4 | 5, packetId: number) {
    super();
    this.readAt = outlet.parts.turn.now;
    this.outlet = outlet;
    this.type = type;
    this.packetId = packetId;
  }

  override get publisher(): HeldPublisher {
    return this.outlet.owner.reading;
  }

  override get isOfClient(): boolean {
    return true;
  }

  override refused(): void {
    this.outlet.owner.fenced();
  }

  override quotaExceeded(reason: string): void {
    this.reasonCode = ReasonCode.quotaExceeded;
    this.reasonString = reason;
    // MQTT 3 has no reason codes: the client must not believe that all was done [MQTT-3.3.5-2].
    if (!this.outlet.version5) this.outlet.owner.disconnect(ReasonCode.quotaExceeded);
  }

  /** Everything that it waits for has been added. The publisher's socket is not read while too many are pending. */
  allAdded(): void {
    this.outlet.owner.reading.acknowledgementPending();
    this.settle();
  }

  protected override ready(): void {
    this.outlet.acknowledgements?.flush();
  }
}

/**
 * A connection's pending PUBACKs and PUBRECs. They are sent in the order of their PUBLISH packets [MQTT-4.6.0-2],
 * [MQTT-4.6.0-3], so one that is ready waits for those before it.
 */
export class Acknowledgements {
  private readonly outlet: Outlet;
  private readonly queue: PendingAcknowledgement[] = [];
  private head = 0;
  /** Number of packets whose acknowledgements are pending. */
  length = 0;
  /** Number of PUBRECs among them. */
  pubrecs = 0;
  /** The connection is closed: acknowledgements that become ready are neither sent nor counted. */
  private isAbandoned = false;

  constructor(outlet: Outlet) {
    this.outlet = outlet;
  }

  add(pending: PendingAcknowledgement): void {
    this.queue.push(pending);
    this.length += pending.count;
    if (pending.type === 5) this.pubrecs++;
    this.outlet.parts.metrics.acknowledgementsWaiting += pending.count;
  }

  /** The connection is closed; all pending acknowledgements are dropped. */
  abandon(): void {
    this.isAbandoned = true;
    this.outlet.parts.metrics.acknowledgementsWaiting -= this.length;
  }

  /** The first pending PUBREC for this packet identifier; null: there is none. */
  pubrecOf(packetId: number): PendingAcknowledgement | null {
    for (let at = this.head; at < this.queue.length; at++) {
      if (this.queue[at].type === 5 && this.queue[at].packetId === packetId) return this.queue[at];
    }
    return null;
  }

  private mayLeave(pending: PendingAcknowledgement): boolean {
    const { trust } = this.outlet.parts;
    return pending.waits === 0 && !trust.isDoubtful(pending.storedAt);
  }

  /** Sends the acknowledgements at the front that are ready. */
  flush(): void {
    const { queue } = this;
    if (this.isAbandoned || this.length === 0 || !this.mayLeave(queue[this.head])) return;
    const { clock, metrics } = this.outlet.parts;
    const now = clock.now();
    while (this.head < queue.length && this.mayLeave(queue[this.head])) {
      const pending = queue[this.head++];
      this.length -= pending.count;
      if (pending.type === 5) this.pubrecs--;
      metrics.acknowledgementsWaiting -= pending.count;
      metrics.acknowledgementSeconds.observe((now - pending.readAt) / 1000, pending.count);
      if (pending.block !== null) this.outlet.sendPubacks(pending.block);
      else if (pending.reasonString !== '') this.outlet.refuse(pending);
      else this.outlet.sendAcknowledgement(pending.type, pending.packetId, pending.reasonCode);
      if (pending.span !== null) pending.span.end(pending.reasonCode);
    }
    if (this.head === queue.length) {
      queue.length = 0;
      this.head = 0;
    } else if (this.head > 256 && this.head * 2 > queue.length) {
      queue.splice(0, this.head);
      this.head = 0;
    }
    this.outlet.owner.reading.acknowledgementsSent();
  }
}
