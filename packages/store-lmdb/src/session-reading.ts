import type { StoredOutbound, StoredSession } from '@dunlin/broker';
import { kind } from './keys.ts';
import { readCursor, readInbound, readOutbound, readSubscription, type SessionRecord } from './session-records.ts';

/** A stored session while it is assembled from its parts, some of them at a time. */
export class SessionReading {
  readonly stored: StoredSession;
  /** The key of the part that was read last; null: none was. */
  last: Buffer | null = null;
  isWhole = false;
  private readonly outbound: { order: number; message: StoredOutbound }[] = [];

  constructor(session: SessionRecord) {
    const { clientId, sessionExpirySeconds, expiresAt, producerNumber } = session;
    this.stored = {
      clientId,
      sessionExpirySeconds,
      expiresAt,
      subscriptions: [],
      cursors: [],
      outbound: [],
      inbound: [],
      producerNumber,
    };
  }

  add(partKey: Buffer, value: Buffer): void {
    const { stored } = this;
    this.last = partKey;
    const part = partKey[8];
    if (part === kind.subscription[0]) stored.subscriptions.push(readSubscription(value));
    else if (part === kind.cursor[0]) {
      const { logNumber: _, ...cursor } = readCursor(value);
      stored.cursors.push(cursor);
    } else if (part === kind.outbound[0]) this.outbound.push(readOutbound(partKey.readUInt16BE(9), value));
    else stored.inbound.push(readInbound(partKey.readUInt16BE(9), value));
  }

  /** Ends reading: there are no more records. */
  finish(): void {
    this.isWhole = true;
    this.outbound.sort((a, b) => a.order - b.order);
    for (const { message } of this.outbound) this.stored.outbound.push(message);
  }
}
