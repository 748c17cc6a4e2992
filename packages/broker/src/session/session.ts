/**
 * State of one client while it is connected here. An ephemeral session ends with its connection; a durable one is
 * loaded from the store at CONNECT and written back when the connection ends [MQTT-3.1.2-4..6], [MQTT-4.1.0-1].
 */
import type { SubscriptionHoldings } from '../guards/subscription-budget.ts';
import type { Publication } from '../message/publication.ts';
import type { Outlet } from '../output/outlet.ts';
import type { CloseReason } from '../ports/close-reason.ts';
import type { Limits } from '../ports/limits.ts';
import type { SessionKey } from '../ports/session-key.ts';
import { InboundInflight } from './inbound-inflight.ts';
import { OutboundInflight } from './inflight.ts';
import type { LogCursor } from './log-cursor.ts';
import type { Resends } from './resends.ts';
import type { Subscription } from './subscription.ts';
import type { SuspendedSubscriptions } from './suspended-subscriptions.ts';
import { WaitingMessages } from './waiting-messages.ts';

/** The will of a connected client, as a record (message-record.ts). */
export interface SessionWill {
  record: Buffer;
  delaySeconds: number;
}

/** Interface of the connection that a session uses. */
export interface SessionConnection {
  readonly outlet: Outlet;
  readonly remoteAddress: string;
  /** Name that the client has proved to have; null: none. */
  readonly signIn: { readonly userName: string | null };
  /** Reason for which the connection ended, and the reason code of its DISCONNECT. */
  readonly closeReason: CloseReason;
  readonly closeCode: number;
  /** Lets packets that were read take effect before the session goes to a new owner; null: there are none. */
  readonly holding: { settle(claimMoved: boolean): Promise<void> | null };
  disconnect(reasonCode: number, reasonString?: string): void;
  /** Another endpoint owns the session now. */
  fenced(): void;
  quotaExceeded(): void;
  /** The session is written back: the client may see the end of its connection. */
  released(): void;
}

/** Membership of a session in a shared group with a log. */
export interface GroupMembership {
  /** Delivers waiting messages, if the session has room. */
  place(): void;
  sessionEnded(): void;
}

/** A message that waits for room, and how it is to be sent. */
export interface WaitingMessage {
  publication: Publication;
  subscription: Subscription;
  qos: 1 | 2;
  retain: boolean;
}

const none: readonly LogCursor[] = [];

export class Session {
  readonly clientId: string;
  readonly key: SessionKey;
  readonly connection: SessionConnection;
  /** Outlet of the connection, held directly. */
  readonly outlet: Outlet;
  /** Session Expiry Interval; above 0: durable. Changed by DISCONNECT at the earliest. */
  expirySeconds: number;
  /** True while the store holds the session. */
  isStored: boolean;
  will: SessionWill | null = null;
  /** Version of the rules that its subscriptions were compared with. */
  rulesVersion = 0;
  /** User that owns it; empty: nobody. */
  user = '';
  producerNumber = 0;
  private subscriptionsMade: Map<string, Subscription> | null = null;
  /** Charge for its subscriptions; null: there were none. */
  holdings: SubscriptionHoldings | null = null;
  /** Dense; in no order. */
  readonly cursors: LogCursor[] = [];
  /** Cursors that want to send or to read, and wait for room or for their turn. */
  private behindMade: Set<LogCursor> | null = null;
  /** The waiting cursors are being served, some each turn. */
  isPumping = false;
  /** Cursors whose progress is being written to the store. */
  cursorsUnderWay: readonly LogCursor[] = none;
  private dirtyCursorsMade: Set<LogCursor> | null = null;
  private outboundDeletedMade: Set<number> | null = null;
  outbound: OutboundInflight | null = null;
  inbound: InboundInflight | null = null;
  waiting: WaitingMessages<WaitingMessage> | null = null;
  /** Subscriptions that the rules do not allow now; null: none ever was. */
  suspended: SuspendedSubscriptions<Subscription> | null = null;
  /** Messages in flight before a reconnect, which come first; while they are not null, nothing else has room. */
  resends: Resends | null = null;
  /**
   * Membership in each shared group with a log, by the group's name; kept after UNSUBSCRIBE, for messages in flight.
   */
  groupMembers: Map<string, GroupMembership> | null = null;
  /** Messages of such groups that it had in flight are known to be its own (group-reservations.ts). */
  groupsSettled = false;
  private readonly limits: Limits;
  private readonly inflightMax: number;
  /** True once the session was handed over or released: late answers of the store have no effect. */
  hasEnded = false;

  /** `inflightMax`: Receive Maximum of the client, within our own limit. */
  constructor(
    connection: SessionConnection,
    key: SessionKey,
    expirySeconds: number,
    limits: Limits,
    inflightMax: number,
  ) {
    this.limits = limits;
    this.connection = connection;
    this.outlet = connection.outlet;
    this.clientId = key.clientId;
    this.key = key;
    this.expirySeconds = expirySeconds;
    this.isStored = expirySeconds > 0;
    this.inflightMax = inflightMax;
  }

  // Created at first use: many clients connect, publish and leave, and unused fields would be most of what a session
  // costs.

  get subscriptions(): Map<string, Subscription> {
    this.subscriptionsMade ??= new Map();
    return this.subscriptionsMade;
  }

  get hasSubscriptions(): boolean {
    return this.subscriptionsMade !== null && this.subscriptionsMade.size > 0;
  }

  addCursor(cursor: LogCursor): void {
    cursor.place = this.cursors.length;
    this.cursors.push(cursor);
  }

  /** Removes a cursor in constant time: the last one takes its place. */
  removeCursor(cursor: LogCursor): void {
    this.dirtyCursorsMade?.delete(cursor);
    this.behindMade?.delete(cursor);
    const last = this.cursors.pop();
    if (last === undefined || last === cursor) return;
    this.cursors[cursor.place] = last;
    last.place = cursor.place;
  }

  /** Cursors that are behind; null: none ever was. */
  get behind(): Set<LogCursor> | null {
    return this.behindMade;
  }

  addBehind(cursor: LogCursor): void {
    this.behindMade ??= new Set();
    this.behindMade.add(cursor);
  }

  /** Cursors whose progress the store may not have. */
  unstoredCursors(): LogCursor[] {
    const unstored = new Set([...this.cursorsUnderWay, ...(this.dirtyCursorsMade ?? none)]);
    return [...unstored].filter((cursor) => !cursor.isDetached);
  }

  /** Cursors whose progress the store does not have. */
  get dirtyCursors(): Set<LogCursor> {
    this.dirtyCursorsMade ??= new Set();
    return this.dirtyCursorsMade;
  }

  /** Packet identifiers whose end the store does not know. */
  get outboundDeleted(): Set<number> {
    this.outboundDeletedMade ??= new Set();
    return this.outboundDeletedMade;
  }

  get outboundInflight(): OutboundInflight {
    this.outbound ??= new OutboundInflight(this.inflightMax);
    return this.outbound;
  }

  get inboundInflight(): InboundInflight {
    this.inbound ??= new InboundInflight();
    return this.inbound;
  }

  get waitingMessages(): WaitingMessages<WaitingMessage> {
    this.waiting ??= new WaitingMessages();
    return this.waiting;
  }

  /**
   * True if bytes in flight, and bytes that a socket has not taken, leave room for a message of any size: what a client
   * does not read waits in its log or queue. Bytes of this turn alone are sent before they are many, and no event would
   * tell that they have left. Where memory is scarce a socket takes all before it is given more.
   */
  private get hasRoomForBytes(): boolean {
    const { limits, outbound } = this;
    if (outbound !== null && outbound.bytes >= limits.inflightBytesMax) return false;
    const { output, parts } = this.outlet;
    if (!output.isCongested) return true;
    if (output.isHeldForRate) return false;
    return output.pendingBytes < (parts.memory.isHigh ? 1 : limits.outputBufferBytesMax);
  }

  /** True if its subscriptions were compared with the rules as they are. */
  get isCompared(): boolean {
    return this.outlet.parts.rules.isLatest(this.rulesVersion);
  }

  /** Compares them, before something is sent to it. */
  compareWithRules(): void {
    this.outlet.parts.compareWithRules(this.outlet);
  }

  /** True if there is room for one more QoS 1 or 2 message [MQTT-3.3.4-9]. */
  get hasRoom(): boolean {
    const { outbound } = this;
    return (outbound === null || outbound.count < this.inflightMax) && this.resends === null && this.hasRoomForBytes;
  }

  /** Room for messages of groups, or of a batch: none while others wait for the window. */
  get room(): number {
    if (this.hasEnded || this.resends !== null || (this.waiting !== null && this.waiting.length > 0)) return 0;
    if (!this.hasRoomForBytes || !this.isCompared) return 0;
    return this.inflightMax - (this.outbound?.count ?? 0);
  }

  /** Room for messages in flight before a reconnect, to be sent again now. */
  get resendRoom(): number {
    if (!this.hasRoomForBytes) return 0;
    return this.inflightMax - (this.outbound?.count ?? 0) + (this.resends?.left ?? 0);
  }

  /** Number of messages in flight and waiting, for `least-inflight`. */
  get load(): number {
    return (this.outbound?.count ?? 0) + (this.waiting?.length ?? 0);
  }
}
