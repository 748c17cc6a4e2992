/**
 * Port: where durable state lives. Redis for a cluster, LMDB embedded in the process for a single node, memory for tests.
 *
 * Contract, the same for every implementation and checked by `contract/store-contract.ts`:
 *
 * - Every method is asynchronous. A resolved promise means: done, and it survives what the implementation says it survives
 *   (memory: nothing; LMDB: `kill -9` of the process, and power loss with durability `fsync`; Redis: as Redis is configured).
 *   A rejected promise means that nothing is known about the outcome; the caller may do it again, because every
 *   operation done twice is the same as done once. Three add something each time: `claim` and `claimGroup` (another epoch), and `addDelayed` (the
 *   message comes twice: at least once). So does an `append` that names neither an origin nor a producer. Codes `fenced`, `unknown-session`, `unknown-group` and `closed` mean: not done.
 * - Calls made in one turn of the event loop travel as one batch. Within one store object, effects become visible in the order of the
 *   calls, and a read sees the writes that the same store object was given before it.
 * - Keys of one session are updated atomically in one call; so are keys of one log, those of the groups on it among them. What spans a session and logs
 *   (`append` with `inbound`, `subscribe`) need not be atomic: a crash between the parts is repaired by doing the call again.
 * - A session of thousands of parts may be removed in steps: nobody is given it any more, and its filters may be seen until the call that ends it is answered.
 * - A write to a session carries the claim's epoch. An older epoch is refused with `StoreError` code `fenced` and has no effect. The same holds for groups.
 * - Numbers of a log grow by one from message to message. A store that may have lost some which it had given goes on in another era (`numbersPerEra`), so that no number is
 *   given twice: it skips so many that the count of messages, the number modulo `numbersPerEra`, goes on.
 * - Messages are opaque bytes (see message-record.ts), which the caller leaves unchanged until the promise is settled. Times are milliseconds since 1970 on the clock that the caller passes.
 */
import { CodedError } from '@dunlin/protocol';

/** `nodeId/workerIndex#incarnation` of the worker that owns something. Empty: nobody. */
export type EndpointId = string;

/** A number of a log is an era and a count of messages: no log holds so many, and there are eras for 8 million restarts of a store. */
export const numbersPerEra = 2 ** 30;

export type StoreErrorCode = 'fenced' | 'unavailable' | 'unknown-session' | 'unknown-group' | 'closed' | 'corrupt';

/** An operating failure of the store. `fenced`: the claim moved; `unavailable`: try again later. */
export class StoreError extends CodedError<StoreErrorCode> {
  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(code, message, { cause });
  }
}

export interface StoredSubscription {
  /** As the client wrote it, `$share/…` included. */
  filter: string;
  qos: 0 | 1 | 2;
  /**
   * Of a shared subscription, which cannot have it [MQTT-3.8.3-4]: it was replaced by one of QoS 0, and is kept with the QoS of before for what its group is owed
   * [MQTT-3.8.4-4].
   */
  noLocal: boolean;
  retainAsPublished: boolean;
  retainHandling: 0 | 1 | 2;
  /** 0: none. */
  subscriptionIdentifier: number;
}

/** How far a session has been served from the log of one durable filter. */
export interface Cursor {
  filter: string;
  /** Every number up to and including this one is acknowledged. */
  acknowledged: number;
  /** Acknowledged numbers above it, ascending. */
  above: number[];
  /** Of a subscription that was replaced by one of QoS 0: up to this number the client is owed what was queued, at the QoS that was granted then. Opaque to the store. */
  owed?: { sequence: number; qos: 1 | 2 };
}

/** A message sent to the client and not yet through its handshake: kept so that a reconnect resends it with its packet identifier. */
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
  /** A signed number of 32 bits that stands for its content; 0: not noted. */
  digest: number;
}

export interface StoredSession {
  clientId: string;
  /** Seconds after the connection's end; 0xffffffff: never. Always above 0: other sessions are not stored. */
  sessionExpirySeconds: number;
  /** When the session ends, while it is not connected; 0 while connected; Infinity: never. */
  expiresAt: number;
  subscriptions: StoredSubscription[];
  cursors: Cursor[];
  /** In the order in which their packet identifiers were added. The other lists are in no order. */
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
  /** Above 0: the session is durable and is created when there is none. 0: no session is stored; a stored one that is kept
   *  (cleanStart false) is returned all the same, and it ends with this connection. */
  sessionExpirySeconds: number;
}

export interface Claim {
  /** Above every earlier one of this client identifier, also over restarts as long as a session is stored. */
  epoch: number;
  /** Who held the claim until now and had not let go; empty when nobody. */
  previousOwner: EndpointId;
  /** The stored session as it was found, or null. With cleanStart always null. */
  session: StoredSession | null;
  /** A scheduled will whose session ended by this claim (cleanStart, or a session past its expiry): it is removed here and the caller publishes it
   *  [MQTT-3.1.3-9]. A scheduled will of a session that goes on is removed and null is returned. Or, with an infinite `dueAt`, that of a connection that has
   *  not ended as far as is known: its owner publishes it, unless that one is gone. */
  will: StoredWill | null;
}

/** Identifies the writer of a session: refused when `epoch` is not the claim's current one. */
export interface SessionKey {
  clientId: string;
  epoch: number;
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

export interface DurableFilter {
  filter: string;
  /** The number of the last message in the log; 0: none yet. Numbers go on after a log was emptied, and after its filter was dropped and added again. */
  lastSequence: number;
}

/**
 * A shared group with durable members: it has one cursor on the log of its filter, as a session has on the logs of its filters. The group begins with its
 * first durable member (a `$share` subscription of QoS above 0) and ends with its last.
 */
export interface DurableGroup {
  /** `$share/{name}/{filter}`. */
  group: string;
  /** Of its cursor. */
  acknowledged: number;
}

/** Identifies who leads a group: refused when `epoch` is not that of the last `claimGroup`. */
export interface GroupKey {
  group: string;
  epoch: number;
}

/** How far a group has been served. To the store only `acknowledged` says something: the log is trimmed behind it. */
export interface StoredGroupCursor {
  /** Every number up to and including this one is done with. */
  acknowledged: number;
  /** Numbers above it that are done with: first and last of each stretch, one after the other, ascending. */
  above: number[];
  /** Numbers that were delivered in vain: a number and how often, one after the other. */
  failed: number[];
}

/** A QoS 2 message of a group, reserved for one client: no other client may get it (group-reservations.ts). */
export interface GroupReservation {
  sequence: number;
  clientId: string;
  /** It may have been sent: whatever becomes of the client, the group is done with it [MQTT-4.8.2-5]. */
  isFinal: boolean;
}

export interface GroupClaim {
  /** Above every earlier one of this group, also after the group has ended and begun again. */
  epoch: number;
  cursor: StoredGroupCursor;
  /** In no order. */
  reservations: GroupReservation[];
}

/** Changes to a group, applied together. Absent keys are left as they are. */
export interface GroupChange {
  cursor?: StoredGroupCursor;
  /** Reservations of these numbers are deleted. */
  reservationsDelete?: number[];
}

export interface AppendRequest {
  /** Durable filters whose logs take the message, each once. A filter that is no longer durable is skipped (sequence 0). */
  filters: readonly string[];
  record: Uint8Array;
  /** Infinity: never. */
  expiresAt: number;
  /**
   * QoS 2: each log refuses a number of this producer that it has already taken (P2). A store that may go back, and then gives a session numbers again, does so only where the
   * digest is the same as well; absent, or 0: of any content.
   */
  producer: { clientId: string; number: number; digest?: number } | null;
  /** QoS 2 of a durable session: packet identifier, producer number and digest are remembered in the session together with the append. */
  inbound: { key: SessionKey; packetId: number; digest: number } | null;
}

/** Tells a batch of appends from its repetition. */
export interface AppendOrigin {
  /** Whoever appends one batch after the other, the next when the one before is answered. Nobody else has this name, ever. */
  writer: string;
  /** Above that of the writer's batch before. The same for exactly the same requests, given again because nothing is known of the outcome. */
  batch: number;
}

/** One number per filter of the request, in its order: the log number given; 0: the filter is no longer durable. Negated, it is the number under which
 *  the message stands since before: its producer number was taken, or the batch of its origin was appended (what was 0 then stays 0).
 *  Empty: `inbound` named a fenced session, and nothing was done for this request. */
export type AppendResult = number[];

export interface LogEntry {
  sequence: number;
  record: Uint8Array;
  expiresAt: number;
}

export interface LogPage {
  entries: LogEntry[];
  /** Number of the last message in the log at the time of reading. */
  lastSequence: number;
  /** The lowest number not trimmed or dropped, lastSequence + 1 when the log is empty. */
  firstSequence: number;
}

/** What a log may hold; older messages are dropped first. */
export interface LogLimits {
  messagesMax: number;
  bytesMax: number;
}

export interface RetainedEntry {
  topic: string;
  record: Uint8Array;
  expiresAt: number;
}

export interface RetainedPage {
  entries: RetainedEntry[];
  /** Opaque; give it to the next call. Null: no more. */
  next: string | null;
}

export interface StoredWill {
  clientId: string;
  owner: EndpointId;
  epoch: number;
  record: Uint8Array;
  delaySeconds: number;
  /** When it is to be published; Infinity while its client is connected. */
  dueAt: number;
}

/** Times from which `expireSessions`, `takeDueWills` and `takeDueDelayed` find something; Infinity: not within the time that was asked for. */
export interface DueTimes {
  sessions: number;
  wills: number;
  delayed: number;
}

export interface Store {
  /** A word for logs and for what is promised: `memory`, `lmdb` … */
  readonly name: string;
  open(): Promise<void>;
  /** Writes what is pending, then closes. Further calls are refused with `closed`. */
  close(): Promise<void>;

  // Claims and sessions (architecture 6, 7)
  claim(request: ClaimRequest, now: number): Promise<Claim>;
  /** Lets go of the claim. A durable session stays until `expiresAt`; an ephemeral one (sessionExpirySeconds 0) is deleted. Done with an
   *  older epoch it has no effect (and does not throw). */
  release(key: SessionKey, change: SessionChange, now: number): Promise<void>;
  /** Creates or changes subscriptions of a durable session. A subscription without `$share` and with QoS above 0 makes its filter durable and gets a
   *  cursor at the end of the log, unless it has one. One with `$share` and QoS above 0 makes the session a member of the group, which begins with a cursor
   *  of its own at the end of the log. With QoS 0 a subscription is stored alone: the membership goes, and a cursor stays for what is owed (`endCursors`).
   *  Returns the logs' ends, in the order of `subscriptions`, each with the subscription's own filter (lastSequence 0 where the session has no cursor). */
  subscribe(key: SessionKey, subscriptions: StoredSubscription[]): Promise<DurableFilter[]>;
  /** Removes subscriptions, cursors and memberships of groups; a filter without cursors is no longer durable. Unknown filters are ignored. */
  unsubscribe(key: SessionKey, filters: string[]): Promise<void>;
  /** Removes the cursors of subscriptions of QoS 0 to these filters: nothing is owed any more. Others are ignored. */
  endCursors(key: SessionKey, filters: string[]): Promise<void>;
  update(key: SessionKey, change: SessionChange): Promise<void>;
  /** Removes a session whole, whoever owns it (administration). A scheduled will of it is due at once. */
  deleteSession(clientId: string): Promise<void>;
  /** Ends sessions that are due and returns their client identifiers. A scheduled will of theirs is due at once. */
  expireSessions(now: number, limit: number): Promise<string[]>;
  /** Claims of this owner's incarnation are void: its sessions count as disconnected since `now`, its wills become due after their delay, but no
   *  later than the session expiry allows: at once where no session is stored [MQTT-3.1.3-9]. */
  releaseOwner(owner: EndpointId, now: number): Promise<void>;
  /** Every owner that holds a claim or a will, for finding the dead. */
  owners(): Promise<EndpointId[]>;
  countSessions(): Promise<number>;
  /** One read for all housekeeping that falls due up to this time: made each second, and nearly always there is nothing. */
  dueTimes(until: number): Promise<DueTimes>;

  // Logs
  durableFilters(): Promise<DurableFilter[]>;
  /** The number of the last message in the log of each filter, in their order; 0 where there is no log. One read for all of them: asked every few
   *  seconds for the logs that local sessions follow. */
  logEnds(filters: readonly string[]): Promise<number[]>;
  /**
   * With an origin a batch is appended once, however often it is given and in whatever order the attempts arrive: a message that an earlier attempt appended is
   * answered with its number, and an attempt that comes when a later batch of the writer was appended is refused with `fenced`: its writer
   * has had its answer. Of each writer the last batch is remembered, for at least a week, and for as long as a writer can live where it dies with the store.
   */
  append(requests: AppendRequest[], now: number, origin?: AppendOrigin): Promise<AppendResult[]>;
  /** Entries numbered from `fromSequence` on that have not expired at `now`, ascending, at most that many, and at least one if there is one
   *  however large. */
  readLog(filter: string, fromSequence: number, messagesMax: number, bytesMax: number, now: number): Promise<LogPage>;
  /** Drops from the front what every cursor has passed, what is over the limits and what has expired. Returns the number of messages dropped by limit. */
  trimLogs(limits: LogLimits, now: number): Promise<number>;

  // Shared groups with durable members (architecture 6). However a member leaves, by `unsubscribe` or with its session, its reservations become final.
  durableGroups(): Promise<DurableGroup[]>;
  /** Another epoch: whoever led the group is fenced. Rejects with `unknown-group` when there is none (any more). */
  claimGroup(group: string): Promise<GroupClaim>;
  /** Rejects with `fenced`, or `unknown-group`. */
  updateGroup(key: GroupKey, change: GroupChange): Promise<void>;
  /**
   * Reserves messages for clients: true where the reservation stands and was made with this epoch. Refused: a number that another
   * client has, or that this one has with the epoch of another leader; a new one with an epoch that is not the last. All false when
   * there is no such group. A reservation of this client becomes final with whatever epoch, also where the answer is false, and never
   * the other way round.
   */
  reserveMessages(key: GroupKey, reservations: GroupReservation[]): Promise<boolean[]>;
  /** Reservations of the group, in no order; none when there is no such group. */
  groupReservations(group: string): Promise<GroupReservation[]>;

  // Retained
  /** Null removes. */
  setRetained(topic: string, record: Uint8Array | null, expiresAt: number): Promise<void>;
  /** Retained messages whose topic matches, in a stable order, not expired at `now`. Costs what it matches, not what is stored.
   *  A page may hold fewer than `limit` entries, even none, although `next` is not null. */
  readRetained(filter: string, after: string | null, limit: number, now: number): Promise<RetainedPage>;
  countRetained(): Promise<number>;

  // Wills (P8)
  /** Keeps the will of a connected client. Null removes it. */
  setWill(key: SessionKey, owner: EndpointId, will: { record: Uint8Array; delaySeconds: number } | null): Promise<void>;
  /** The connection ended without DISCONNECT: the will becomes due at this time. */
  scheduleWill(key: SessionKey, dueAt: number): Promise<void>;
  /** Takes wills that are due, at most `limit`, each handed out again to a later call unless `removeWill` confirms it within 30 seconds. */
  takeDueWills(now: number, limit: number): Promise<StoredWill[]>;
  removeWill(clientId: string, epoch: number): Promise<void>;

  // Delayed publishes
  addDelayed(record: Uint8Array, dueAt: number): Promise<void>;
  /** Like takeDueWills: handed out again unless removed within 30 seconds. */
  takeDueDelayed(now: number, limit: number): Promise<{ id: string; record: Uint8Array }[]>;
  removeDelayed(id: string): Promise<void>;
}
