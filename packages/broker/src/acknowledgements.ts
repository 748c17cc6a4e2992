/**
 * What must be safe before somebody is told so (P1), and the order in which clients are told.
 */
import type { Connection } from './connection.ts';
import type { PublishSpan } from './ports/tracer.ts';
import { notStored, type StoreTrust } from './store-trust.ts';

/** Something that waits for the store or other endpoints. Begins with one wait, which whoever made it settles when all waits were added. */
export abstract class Pending {
  waits = 1;
  /** When the first of what it needs in the store was given to it (store-trust.ts). */
  storedAt = notStored;

  /** It needs something that is given to the store at this moment. */
  needsStored(moment: number): void {
    if (moment < this.storedAt) this.storedAt = moment;
  }

  /** One thing it waited for is there. */
  settle(): void {
    if (--this.waits === 0) this.ready();
  }

  /** A client waits, which keeps the message until then and sends it again otherwise. */
  get isOfClient(): boolean {
    return false;
  }

  /** The store refused it, since the publisher's session belongs to somebody else now. It never becomes ready. */
  refused(): void {}

  protected abstract ready(): void;
}

/**
 * Resolves a promise: for wills and delayed messages, which are removed from the store only when they are safe elsewhere. False: the store has gone back since it took
 * them, and may have lost them.
 */
export class PendingPromise extends Pending {
  readonly promise: Promise<boolean>;
  private readonly trust: StoreTrust;
  private resolve: (isSafe: boolean) => void = () => {};

  constructor(trust: StoreTrust) {
    super();
    this.trust = trust;
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  protected override ready(): void {
    const { trust, storedAt } = this;
    if (trust.isDoubtful(storedAt)) trust.whenReturned(() => this.ready());
    else this.resolve(!trust.isGone(storedAt));
  }
}

/** Settles others when all that took their place are there. */
export class PendingForOthers extends Pending {
  private readonly others: readonly Pending[];

  constructor(others: readonly Pending[]) {
    super();
    this.others = others;
  }

  override get isOfClient(): boolean {
    return this.others.every((other) => other.isOfClient);
  }

  protected override ready(): void {
    for (const other of this.others) other.settle();
  }
}

/** A PUBACK (type 4) or PUBREC (type 5) to be sent. */
export class PendingAcknowledgement extends Pending {
  readonly connection: Connection;
  readonly type: 4 | 5;
  readonly packetId: number;
  reasonCode = 0;
  /** When its PUBLISH was read, milliseconds since 1970. */
  readonly readAt: number;
  /** Ended when it is sent; null: it is not traced. */
  span: PublishSpan | null = null;
  /** Packets that it acknowledges. */
  count = 1;
  /** The PUBACKs of a run of packets (publish-run.ts), instead of one for `packetId`. */
  block: Buffer | null = null;

  constructor(connection: Connection, type: 4 | 5, packetId: number) {
    super();
    this.readAt = connection.broker.delivery.now;
    this.connection = connection;
    this.type = type;
    this.packetId = packetId;
  }

  override get isOfClient(): boolean {
    return true;
  }

  override refused(): void {
    this.connection.fenced();
  }

  protected override ready(): void {
    this.connection.acknowledgements?.flush();
  }
}

/**
 * A connection's PUBACKs and PUBRECs that wait. They leave in the order of their PUBLISH packets [MQTT-4.6.0-2], [MQTT-4.6.0-3], so one that is ready
 * waits for those before it.
 */
export class Acknowledgements {
  private readonly owner: Connection;
  private readonly queue: PendingAcknowledgement[] = [];
  private head = 0;
  /** Packets whose acknowledgements wait. */
  length = 0;
  /** PUBRECs among them. */
  pubrecs = 0;
  /** The connection is gone: what still becomes ready is neither sent nor counted. */
  private abandoned = false;

  constructor(owner: Connection) {
    this.owner = owner;
  }

  add(pending: PendingAcknowledgement): void {
    this.queue.push(pending);
    this.length += pending.count;
    if (pending.type === 5) this.pubrecs++;
    this.owner.broker.metrics.acknowledgementsWaiting += pending.count;
  }

  /** The connection is gone, and nobody waits for them any more. */
  abandon(): void {
    this.abandoned = true;
    this.owner.broker.metrics.acknowledgementsWaiting -= this.length;
  }

  /** The first PUBREC for this packet identifier that is still to be sent; null: there is none. */
  pubrecOf(packetId: number): PendingAcknowledgement | null {
    for (let at = this.head; at < this.queue.length; at++) {
      if (this.queue[at].type === 5 && this.queue[at].packetId === packetId) return this.queue[at];
    }
    return null;
  }

  private mayLeave(pending: PendingAcknowledgement): boolean {
    const { trust } = this.owner.broker;
    return pending.waits === 0 && !trust.isDoubtful(pending.storedAt);
  }

  /** Sends those at the front that are ready. */
  flush(): void {
    const { queue } = this;
    if (this.abandoned || this.length === 0 || !this.mayLeave(queue[this.head])) return;
    const { clock, metrics } = this.owner.broker;
    const now = clock.now();
    while (this.head < queue.length && this.mayLeave(queue[this.head])) {
      const pending = queue[this.head++];
      this.length -= pending.count;
      if (pending.type === 5) this.pubrecs--;
      metrics.acknowledgementsWaiting -= pending.count;
      metrics.acknowledgementSeconds.observe((now - pending.readAt) / 1000, pending.count);
      if (pending.block !== null) this.owner.sendPubacks(pending.block);
      else this.owner.sendAcknowledgement(pending.type, pending.packetId, pending.reasonCode);
      if (pending.span !== null) pending.span.end(pending.reasonCode);
    }
    if (this.head === queue.length) {
      queue.length = 0;
      this.head = 0;
    } else if (this.head > 256 && this.head * 2 > queue.length) {
      queue.splice(0, this.head);
      this.head = 0;
    }
    this.owner.acknowledgementsSent();
  }
}
