import type { EndpointId } from './endpoint-id.ts';
import type { DurableFilter } from './log-store.ts';
import type { Quota } from './quota.ts';
import type { SessionKey } from './session-key.ts';
import { StoreError } from './store-error.ts';
import type { StoredWill } from './will-store.ts';

export interface StoredSubscription {
  /** Filter as the client wrote it, `$share/…` included. */
  filter: string;
  qos: 0 | 1 | 2;
  /**
   * True for No Local. A shared subscription cannot have it [MQTT-3.8.3-4]: there it means that the subscription was
   * replaced by one of QoS 0, and is kept with the QoS of before for what its group is owed [MQTT-3.8.4-4].
   */
  noLocal: boolean;
  retainAsPublished: boolean;
  retainHandling: 0 | 1 | 2;
  /** 0: none. */
  subscriptionIdentifier: number;
}

/** Cursor of a session in the log of one durable filter. */
export interface Cursor {
  filter: string;
  /** Every number up to and including this one is acknowledged. */
  acknowledged: number;
  /** Acknowledged numbers above it, ascending. */
  above: number[];
  /**
   * Debt of a subscription that was replaced by one of QoS 0: up to this number the client is owed what was queued, at
   * the QoS that was granted then. Opaque to the store.
   */
  owed?: { sequence: number; qos: 1 | 2 };
}

/**
 * A message sent to the client whose handshake is not finished: kept so that a reconnect resends it with its packet
 * identifier.
 */
export interface StoredOutbound {
  packetId: number;
  /** `sent`: PUBLISH went out; `released`: PUBREC came, PUBREL went out (QoS 2). */
  state: 'sent' | 'released';
  qos: 1 | 2;
  filter: string;
  /** Log number; 0 when the message is not in a log, then `record` holds it. */
  sequence: number;
  record: Uint8Array | null;
}

/** A QoS 2 PUBLISH received and not yet released by PUBREL. */
export interface StoredInbound {
  packetId: number;
  /** The producer number it was appended under. */
  producerNumber: number;
  /** Digest of its content, a signed number of 32 bits; 0: none. */
  digest: number;
}

export interface StoredSession {
  clientId: string;
  /** Seconds after the connection's end; 0xffffffff: never. Always above 0: other sessions are not stored. */
  sessionExpirySeconds: number;
  /** Time at which the session ends, while it is not connected; 0 while connected; Infinity: never. */
  expiresAt: number;
  subscriptions: StoredSubscription[];
  cursors: Cursor[];
  /**
   * Messages to the client in the order in which their packet identifiers were added. The other lists are in no order.
   */
  outbound: StoredOutbound[];
  inbound: StoredInbound[];
  /** The last producer number given to a QoS 2 message of this session. */
  producerNumber: number;
}

export interface ClaimRequest {
  clientId: string;
  owner: EndpointId;
  /** True: a stored session is removed with its cursors and will (its durable filters are counted down). */
  cleanStart: boolean;
  /**
   * Session Expiry Interval. Above 0: the session is durable and is created when there is none. 0: no session is
   * stored; a stored one that is kept (cleanStart false) is returned all the same, and it ends with this connection.
   */
  sessionExpirySeconds: number;
  /** Name that the client has proved to have, kept with the claim and with the session; empty or absent: none, nobody owns it. */
  user?: string;
  /**
   * True: a claim, and a session that has not ended, of another user are left as they are, with clean start too. Both
   * are compared and taken in one step.
   */
  isOwnersOnly?: boolean;
  /** Limits of stored sessions, in all and of the user; absent: none. Of sessions, only the counts have limits. */
  quota?: Quota;
}

export interface Claim {
  /** Epoch above every earlier one of this client identifier, also over restarts as long as a session is stored. */
  epoch: number;
  /** Owner that held the claim until now and had not released it; empty when there was none. */
  previousOwner: EndpointId;
  /** The stored session as it was found, or null. With cleanStart always null. */
  session: StoredSession | null;
  /** A scheduled will whose session ended by this claim (cleanStart, or a session past its expiry): it is removed here and the caller publishes it
   *  [MQTT-3.1.3-9]. A scheduled will of a session that goes on is removed and null is returned. Or, with an infinite `dueAt`, that of a connection that has
   *  not ended as far as is known: its owner publishes it, unless that one is gone. */
  will: StoredWill | null;
}

/** Changes to a durable session, applied together. Absent keys are left as they are. */
export interface SessionChange {
  sessionExpirySeconds?: number;
  /** Replaces cursors of these filters (only existing ones; others are ignored). */
  cursors?: Cursor[];
  /** Added or replaced by packet identifier. */
  outboundSet?: StoredOutbound[];
  outboundDelete?: number[];
  inboundDelete?: number[];
}

/** Port: claims and durable sessions (ARCHITECTURE.md 6, 7). What holds for every part of a store is said in store.ts. */
export interface SessionStore {
  /**
   * Rejects with `other-user` as `isOwnersOnly` says, and with `quota-exceeded` where there would be a session more than
   * `quota` says, in all or of the user: nothing has changed then. A session counts until it ends, for the user who claimed it last.
   */
  claim(request: ClaimRequest, now: number): Promise<Claim>;
  /**
   * Releases the claim. A durable session stays until `expiresAt`; an ephemeral one (sessionExpirySeconds 0) is
   * deleted. Done with an older epoch it has no effect (and does not throw).
   */
  release(key: SessionKey, change: SessionChange, now: number): Promise<void>;
  /**
   * Creates or changes subscriptions of a durable session. A subscription without `$share` and with QoS above 0 makes its
   * filter durable and gets a cursor at the end of the log, unless it has one. One with `$share` and QoS above 0 makes the
   * session a member of the group, which begins with a cursor of its own at the end of the log. With QoS 0 a subscription is
   * stored alone: the membership goes, and a cursor stays for what is owed (`endCursors`). Returns the logs' ends, in the
   * order of `subscriptions`, each with the subscription's own filter (lastSequence 0 where the session has no cursor).
   */
  subscribe(key: SessionKey, subscriptions: StoredSubscription[]): Promise<DurableFilter[]>;
  /**
   * Removes subscriptions, cursors and memberships of groups; a filter without cursors is no longer durable. Unknown filters
   * are ignored.
   */
  unsubscribe(key: SessionKey, filters: string[]): Promise<void>;
  /**
   * Removes the cursors of subscriptions of QoS 0 to these filters: no message is owed any more. Others are ignored.
   */
  endCursors(key: SessionKey, filters: string[]): Promise<void>;
  update(key: SessionKey, change: SessionChange): Promise<void>;
  /** Removes a whole session of any owner (administration). A scheduled will of it is due at once. */
  delete(clientId: string): Promise<void>;
  /** Ends sessions that are due and returns their client identifiers. A scheduled will of theirs is due at once. */
  expire(now: number, limit: number): Promise<string[]>;
  /** Time from which `expire` finds something; Infinity: not until `until`. */
  nextDue(until: number): Promise<number>;
  /**
   * Claims of this owner's incarnation are void: its sessions count as disconnected since `now`, its wills become due after
   * their delay, but no later than the session expiry allows: at once where no session is stored [MQTT-3.1.3-9].
   */
  releaseOwner(owner: EndpointId, now: number): Promise<void>;
  /** Owners that hold a claim or a will, for finding dead ones. */
  owners(): Promise<EndpointId[]>;
  count(): Promise<number>;
  /**
   * The session as it is stored, whoever owns it; null: there is none. One that is past its expiry may still be there.
   * For operators: what its owner has not written yet is missing, and a large one is read in parts.
   */
  find(clientId: string): Promise<StoredSession | null>;
}

export function otherUserError(): StoreError {
  return new StoreError('other-user', 'the client identifier belongs to another user');
}

/**
 * Refuses a claim of what another user owns; `user`: the one that owns it, empty: nobody.
 * @throws StoreError `other-user`
 */
export function refuseOtherUser(user: string, request: Pick<ClaimRequest, 'user' | 'isOwnersOnly'>): void {
  if (request.isOwnersOnly === true && user !== '' && user !== (request.user ?? '')) throw otherUserError();
}
