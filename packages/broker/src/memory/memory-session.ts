import type {
  Cursor,
  StoredInbound,
  StoredOutbound,
  StoredSession,
  StoredSubscription,
} from '../ports/session-store.ts';

/** A durable session of the memory store: its parts are maps by name. */
export class MemorySession {
  readonly clientId: string;
  /** User whose quota it counts against; empty: nobody. */
  user = '';
  /** False: the claim that ends it has taken it from the count. */
  isCounted = true;
  sessionExpirySeconds = 0;
  expiresAt = 0;
  producerNumber = 0;
  readonly subscriptions = new Map<string, StoredSubscription>();
  readonly cursors = new Map<string, Cursor>();
  /** Outbound messages in the order in which their packet identifiers were added. */
  readonly outbound = new Map<number, StoredOutbound>();
  readonly inbound = new Map<number, StoredInbound>();

  constructor(clientId: string) {
    this.clientId = clientId;
  }

  /** Returns the session as the port does: a copy that does not change with this one. */
  stored(): StoredSession {
    const { clientId, sessionExpirySeconds, expiresAt, producerNumber } = this;
    return {
      clientId,
      sessionExpirySeconds,
      expiresAt,
      subscriptions: Array.from(this.subscriptions.values(), (subscription) => ({ ...subscription })),
      cursors: Array.from(this.cursors.values(), copyOf),
      outbound: Array.from(this.outbound.values(), (message) => ({ ...message })),
      inbound: Array.from(this.inbound.values(), (message) => ({ ...message })),
      producerNumber,
    };
  }
}

export function copyOf(cursor: Cursor): Cursor {
  return { ...cursor, above: [...cursor.above] };
}
