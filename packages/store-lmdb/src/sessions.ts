import {
  type ClaimRequest,
  type Cursor,
  type DurableFilter,
  type EndpointId,
  type SessionChange,
  type SessionKey,
  type StoredOutbound,
  type StoredSubscription,
  StoreError,
} from '@dunlin/broker/ports';
import { isShared } from '@dunlin/protocol';
import { counter } from './counters.ts';
import type { Tables } from './environment.ts';
import type { Groups } from './groups.ts';
import { behind, digest, firstTime, key, kind, textKey } from './keys.ts';
import type { Logs } from './logs.ts';
import { RecordReader, type RecordWriter } from './records.ts';
import { SessionQuota } from './session-quota.ts';
import type { SessionReading } from './session-reading.ts';
import { type CursorRecord, readCursor, readSession, readSubscription, type SessionRecord } from './session-records.ts';

const NEVER_SECONDS = 0xffffffff;
/** `expiresAt` of a session that has ended and is being removed: compared with any clock, it is over. */
export const ENDED_AT = 1;
/** Parts read in one step: 2 to 3 ms. */
const partsReadMax = 1000;
/** Parts removed in one transaction: about 5 ms of it. */
const partsRemovedMax = 500;
const LOWEST = Buffer.of(0);

/** Durable sessions, within a transaction. */
export class Sessions {
  private readonly tables: Tables;
  private readonly writer: RecordWriter;
  readonly quota: SessionQuota;
  private readonly logs: Logs;
  private readonly groups: Groups;

  constructor(tables: Tables, writer: RecordWriter, logs: Logs, groups: Groups) {
    this.tables = tables;
    this.writer = writer;
    this.quota = new SessionQuota(tables, writer);
    this.logs = logs;
    this.groups = groups;
  }

  find(clientId: string): SessionRecord | null {
    const record = this.tables.session.get(textKey(clientId));
    return record === undefined ? null : readSession(record);
  }

  isStored(clientId: string): boolean {
    return this.tables.session.doesExist(textKey(clientId));
  }

  /** The session that the key may write. Throws `unknown-session` or `fenced`. */
  require(sessionKey: SessionKey): SessionRecord {
    const session = this.find(sessionKey.clientId);
    if (session === null || session.expiresAt === ENDED_AT)
      throw new StoreError('unknown-session', 'no session is stored for this client identifier');
    if (session.epoch !== sessionKey.epoch) {
      throw new StoreError('fenced', `epoch ${sessionKey.epoch} is not the claim's, which is ${session.epoch}`);
    }
    return session;
  }

  create({ clientId, owner, sessionExpirySeconds, user = '' }: ClaimRequest, epoch: number): void {
    const number = counter(this.tables.meta, 'session');
    const session = {
      clientId,
      number,
      epoch,
      owner,
      sessionExpirySeconds,
      expiresAt: 0,
      producerNumber: 0,
      outboundOrder: 0,
      user,
    };
    this.quota.replace(null, user);
    this.put(session);
    this.putOwner(session);
  }

  /** Passes the claim of a stored session to another owner. */
  claim(session: SessionRecord, { owner, sessionExpirySeconds, user = '' }: ClaimRequest, epoch: number): void {
    this.removeOwner(session);
    this.removeExpiry(session);
    this.quota.replace(session.user, user);
    session.user = user;
    session.owner = owner;
    session.epoch = epoch;
    session.sessionExpirySeconds = sessionExpirySeconds;
    session.expiresAt = 0;
    this.put(session);
    this.putOwner(session);
  }

  /** Records that the session is not connected from `now` on. */
  disconnect(session: SessionRecord, now: number): void {
    this.removeOwner(session);
    session.owner = '';
    session.expiresAt =
      session.sessionExpirySeconds === NEVER_SECONDS ? Infinity : now + session.sessionExpirySeconds * 1000;
    this.put(session);
    if (session.expiresAt !== Infinity) this.putExpiry(session);
  }

  /** Continues reading, by some parts. */
  readSome(session: SessionRecord, reading: SessionReading): void {
    let left = partsReadMax;
    for (const { key: partKey, value } of this.parts(session, reading.last, left)) {
      reading.add(partKey, value);
      left--;
    }
    if (left > 0) reading.finish();
  }

  subscribe(session: SessionRecord, subscriptions: readonly StoredSubscription[]): DurableFilter[] {
    const ends: DurableFilter[] = [];
    for (const subscription of subscriptions) {
      const { filter } = subscription;
      if (isShared(filter)) {
        ends.push({ filter, lastSequence: this.subscribeShared(session, subscription) });
        continue;
      }
      const durable = subscription.qos > 0;
      void this.tables.part.put(subscriptionKey(session, filter), this.subscriptionRecord(subscription));
      const cursor = this.findCursor(session, filter);
      if (durable) {
        const head = cursor === null ? this.logs.addCursor(filter, session.number) : this.logs.head(filter);
        const lastSequence = head?.lastSequence ?? 0;
        if (cursor === null) {
          this.putCursor(session, { filter, logNumber: head?.logNumber ?? 0, acknowledged: lastSequence, above: [] });
        }
        ends.push({ filter, lastSequence });
      } else {
        ends.push({ filter, lastSequence: cursor === null ? 0 : (this.logs.head(filter)?.lastSequence ?? 0) });
      }
    }
    return ends;
  }

  /** Joins or leaves a group. Returns the end of the log, 0 where the session is no member of it. */
  private subscribeShared(session: SessionRecord, subscription: StoredSubscription): number {
    const { filter } = subscription;
    const wasMember = this.isMember(session, filter);
    void this.tables.part.put(subscriptionKey(session, filter), this.subscriptionRecord(subscription));
    if (subscription.qos > 0) {
      return wasMember && this.groups.exists(filter) ? this.groups.end(filter) : this.groups.join(filter);
    }
    if (wasMember) this.groups.leave(filter, session.clientId);
    return 0;
  }

  /** A subscription of QoS above 0 is a membership. */
  private isMember(session: SessionRecord, group: string): boolean {
    const record = this.tables.part.get(subscriptionKey(session, group));
    return record !== undefined && readSubscription(record).qos > 0;
  }

  unsubscribe(session: SessionRecord, filters: readonly string[]): void {
    for (const filter of filters) {
      if (isShared(filter) && this.isMember(session, filter)) this.groups.leave(filter, session.clientId);
      void this.tables.part.remove(subscriptionKey(session, filter));
      const cursor = this.findCursor(session, filter);
      if (cursor !== null) this.removeCursor(session, cursor);
    }
  }

  endCursors(session: SessionRecord, filters: readonly string[]): void {
    for (const filter of filters) {
      const record = this.tables.part.get(subscriptionKey(session, filter));
      const cursor = this.findCursor(session, filter);
      if (record !== undefined && readSubscription(record).qos === 0 && cursor !== null)
        this.removeCursor(session, cursor);
    }
  }

  update(session: SessionRecord, change: SessionChange): void {
    let changed = false;
    if (change.sessionExpirySeconds !== undefined && change.sessionExpirySeconds !== session.sessionExpirySeconds) {
      session.sessionExpirySeconds = change.sessionExpirySeconds;
      changed = true;
    }
    for (const cursor of change.cursors ?? []) this.moveCursor(session, cursor);
    for (const message of change.outboundSet ?? []) changed = this.putOutbound(session, message) || changed;
    for (const packetId of change.outboundDelete ?? []) {
      void this.tables.part.remove(packetKey(session, kind.outbound, packetId));
    }
    for (const packetId of change.inboundDelete ?? []) this.removeInbound(session, packetId);
    if (changed) this.put(session);
  }

  putInbound(session: SessionRecord, packetId: number, producerNumber: number, digest: number): void {
    const record = this.writer
      .begin()
      .f64(producerNumber)
      .u32(digest >>> 0)
      .finish();
    void this.tables.part.put(packetKey(session, kind.inbound, packetId), record);
    if (producerNumber <= session.producerNumber) return;
    session.producerNumber = producerNumber;
    this.put(session);
  }

  /** Removes the session with up to `partsMax` parts. False: there are more, and it still exists. */
  removeSome(session: SessionRecord, partsMax = partsRemovedMax): boolean {
    let left = partsMax;
    for (const { key: partKey, value } of [...this.parts(session, null, left)]) {
      if (partKey[8] === kind.cursor[0]) {
        const cursor = readCursor(value);
        this.logs.removeCursor(cursor.filter, cursor.acknowledged, session.number);
      } else if (partKey[8] === kind.subscription[0]) {
        const { filter, qos } = readSubscription(value);
        if (isShared(filter) && qos > 0) this.groups.leave(filter, session.clientId);
      }
      void this.tables.part.remove(partKey);
      left--;
    }
    if (left > 0) left -= this.logs.forgetProducer(session.clientId, left);
    if (left === 0) return false;
    this.removeOwner(session);
    this.removeExpiry(session);
    this.quota.replace(session.user, null);
    void this.tables.session.remove(textKey(session.clientId));
    return true;
  }

  /**
   * Marks a session as ended that still has parts: they are removed a slice at a time. `owner`: the owner that does so;
   * empty: later calls that end due sessions.
   */
  markEnded(session: SessionRecord, owner: EndpointId, epoch: number, user = ''): void {
    this.removeOwner(session);
    this.removeExpiry(session);
    session.owner = owner;
    session.epoch = epoch;
    this.quota.replace(session.user, user);
    session.user = user;
    session.expiresAt = ENDED_AT;
    this.put(session);
    if (owner === '') this.putExpiry(session);
    else this.putOwner(session);
  }

  /** Sessions that are due at `now`. */
  due(now: number, limit: number): SessionRecord[] {
    const due: SessionRecord[] = [];
    for (const { value } of this.tables.expiry.getRange({ end: key(now, Infinity), inclusiveEnd: true, limit })) {
      const session = this.find(new RecordReader(value).text());
      if (session !== null) due.push(session);
    }
    return due;
  }

  nextDue(until: number): number {
    return firstTime(this.tables.expiry, until);
  }

  count(): number {
    return (this.tables.session.getStats() as { entryCount: number }).entryCount;
  }

  private put(session: SessionRecord): void {
    const record = this.writer
      .begin()
      .f64(session.number)
      .f64(session.epoch)
      .u32(session.sessionExpirySeconds)
      .f64(session.expiresAt)
      .f64(session.producerNumber)
      .f64(session.outboundOrder)
      .text(session.owner)
      .text(session.clientId)
      .text(session.user);
    void this.tables.session.put(textKey(session.clientId), record.finish());
  }

  private putOwner(session: SessionRecord): void {
    const record = this.writer.begin().text(session.owner).text(session.clientId).finish();
    void this.tables.owner.put(key(digest(session.owner), kind.session, digest(session.clientId)), record);
  }

  private removeOwner(session: SessionRecord): void {
    if (session.owner === '') return;
    void this.tables.owner.remove(key(digest(session.owner), kind.session, digest(session.clientId)));
  }

  private putExpiry(session: SessionRecord): void {
    const record = this.writer.begin().text(session.clientId).finish();
    void this.tables.expiry.put(key(session.expiresAt, session.number), record);
  }

  private removeExpiry(session: SessionRecord): void {
    if (session.expiresAt > 0) void this.tables.expiry.remove(key(session.expiresAt, session.number));
  }

  /** `after`: the key of a part; null: from the first. */
  private parts(session: SessionRecord, after: Buffer | null, limit: number): Iterable<{ key: Buffer; value: Buffer }> {
    const all = key(session.number);
    const start = after === null ? all : Buffer.concat([after, LOWEST]);
    return this.tables.part.getRange({ start, end: behind(all), limit }) as Iterable<{ key: Buffer; value: Buffer }>;
  }

  private findCursor(session: SessionRecord, filter: string): CursorRecord | null {
    const head = this.logs.head(filter);
    if (head === null) return null;
    const record = this.tables.part.get(key(session.number, kind.cursor, head.logNumber));
    return record === undefined ? null : readCursor(record);
  }

  private putCursor(session: SessionRecord, cursor: CursorRecord): void {
    const record = this.writer.begin().f64(cursor.logNumber).f64(cursor.acknowledged).text(cursor.filter);
    record.u32(cursor.above.length);
    for (const sequence of cursor.above) record.f64(sequence);
    if (cursor.owed !== undefined) record.f64(cursor.owed.sequence).u8(cursor.owed.qos);
    void this.tables.part.put(key(session.number, kind.cursor, cursor.logNumber), record.finish());
  }

  private removeCursor(session: SessionRecord, cursor: CursorRecord): void {
    void this.tables.part.remove(key(session.number, kind.cursor, cursor.logNumber));
    this.logs.removeCursor(cursor.filter, cursor.acknowledged, session.number);
  }

  private moveCursor(session: SessionRecord, to: Cursor): void {
    const cursor = this.findCursor(session, to.filter);
    if (cursor === null) return;
    this.logs.moveCursor(cursor.logNumber, cursor.acknowledged, to.acknowledged, session.number);
    this.putCursor(session, { ...to, logNumber: cursor.logNumber });
  }

  /** Returns true if the count of outbound messages grew. */
  private putOutbound(session: SessionRecord, message: StoredOutbound): boolean {
    const partKey = packetKey(session, kind.outbound, message.packetId);
    const before = this.tables.part.get(partKey);
    const order = before === undefined ? ++session.outboundOrder : new RecordReader(before).f64();
    const record = this.writer
      .begin()
      .f64(order)
      .u8(message.state === 'sent' ? 0 : 1)
      .u8(message.qos)
      .f64(message.sequence)
      .text(message.filter)
      .u8(message.record === null ? 0 : 1);
    if (message.record !== null) record.rest(message.record);
    void this.tables.part.put(partKey, record.finish());
    return before === undefined;
  }

  private removeInbound(session: SessionRecord, packetId: number): void {
    const partKey = packetKey(session, kind.inbound, packetId);
    const record = this.tables.part.get(partKey);
    if (record === undefined) return;
    this.logs.forgetProducerNumber(session.clientId, new RecordReader(record).f64());
    void this.tables.part.remove(partKey);
  }

  private subscriptionRecord(subscription: StoredSubscription): Uint8Array {
    return this.writer
      .begin()
      .u8(subscription.qos)
      .u8(subscription.noLocal ? 1 : 0)
      .u8(subscription.retainAsPublished ? 1 : 0)
      .u8(subscription.retainHandling)
      .u32(subscription.subscriptionIdentifier)
      .text(subscription.filter)
      .finish();
  }
}

function subscriptionKey(session: SessionRecord, filter: string): Buffer {
  return key(session.number, kind.subscription, textKey(filter));
}

function packetKey(session: SessionRecord, part: Uint8Array, packetId: number): Buffer {
  return key(session.number, part, Buffer.of(packetId >> 8, packetId & 0xff));
}
