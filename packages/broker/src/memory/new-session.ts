import type { StoredSession } from '../ports/store.ts';

/** A session of which nothing is known yet but whose it is. */
export function newSession(clientId: string): StoredSession {
  return {
    clientId,
    sessionExpirySeconds: 0,
    expiresAt: 0,
    subscriptions: [],
    cursors: [],
    outbound: [],
    inbound: [],
    producerNumber: 0,
  };
}
