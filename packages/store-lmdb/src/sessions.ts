import {
  type Cursor,
  type DurableFilter,
  type EndpointId,
  type OutboundInflight,
  type SessionChange,
  type SessionKey,
  type StoredSession,
  type StoredSubscription,
  StoreError,
} from '@dunlin/broker';
import { isShared } from '@dunlin/protocol';
import { counter } from './counters.ts';
import type { Tables } from './environment.ts';
import type { Groups } from './groups.ts';
import { behind, digest, key, kind, textKey } from './keys.ts';
import type { Logs } from './logs.ts';
import { RecordReader, type RecordWriter } from './records.ts';
import {
  type CursorRecord,
  readCursor,
  readInbound,
  readOutbound,
  readSession,
  readSubscription,
  type SessionRecord,
} from './session-records.ts';

const NEVER_SECONDS = 0xffffffff;

/** Durable sessions, within a transaction. */
export class Sessions {
  private readonly tables: Tables;
  private readonly writer: RecordWriter;
  private readonly logs: Logs;
  private readonly groups: Groups;

  constructor(tables: Tables, writer: RecordWriter, logs: Logs, groups: Groups) {
    this.tables = tables;
    this.writer = writer;
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
    if (session === null) throw new StoreError('unknown-session', 'no session is stored for this client identifier');
    if (session.epoch !== sessionKey.epoch) {
      throw new StoreError('fenced', `epoch ${sessionKey.epoch} is not the claim's, which is ${session.epoch}`);
    }
    return session;
  }

  create(clientId: string, epoch: number, owner: EndpointId, sessionExpirySeconds: number): void {
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
    };
    this.put(session);
    this.putOwner(session);
  }

  /** The claim of a stored session passes to another owner. */
  claim(session: SessionRecord, owner: EndpointId, epoch: number, sessionExpirySeconds: number): void {
    this.removeOwner(session);
    this.removeExpiry(session);
    session.owner = owner;
    session.epoch = epoch;
    session.sessionExpirySeconds = sessionExpirySeconds;
    session.expiresAt = 0;
    this.put(session);
    this.putOwner(session);
  }

  /** Nobody is connected from `now` on. A session that is not to be kept is removed. */
  disconnect(session: SessionRecord, now: number): void {
    if (session.sessionExpirySeconds === 0) {
      this.remove(session);
      return;
    }
    this.removeOwner(session);
    session.owner = '';
    session.expiresAt =
      session.sessionExpirySeconds === NEVER_SECONDS ? Infinity : now + session.sessionExpirySeconds * 1000;
    this.put(session);
    if (session.expiresAt !== Infinity) {
      const record = this.writer.begin().text(session.clientId).finish();
      void this.tables.expiry.put(key(session.expiresAt, session.number), record);
    }
  }

  read(session: SessionRecord): StoredSession {
    const stored: StoredSession = {
      clientId: session.clientId,
      sessionExpirySeconds: session.sessionExpirySeconds,
      expiresAt: session.expiresAt,
      subscriptions: [],
      cursors: [],
      outbound: [],
      inbound: [],
      producerNumber: session.producerNumber,
    };
    const outbound: { order: number; message: OutboundInflight }[] = [];
    for (const { key: partKey, value } of this.parts(session)) {
      const part = partKey[8];
      if (part === kind.subscription[0]) stored.subscriptions.push(readSubscription(value));
      else if (part === kind.cursor[0]) {
        const { logNumber: _, ...cursor } = readCursor(value);
        stored.cursors.push(cursor);
      } else if (part === kind.outbound[0]) outbound.push(readOutbound(partKey.readUInt16BE(9), value));
      else stored.inbound.push(readInbound(partKey.readUInt16BE(9), value));
    }
    outbound.sort((a, b) => a.order - b.order);
    for (const { message } of outbound) stored.outbound.push(message);
    return stored;
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

  /** Returns the end of the log, 0 where the session is no member of the group. */
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

  /** Removes the session and all its parts. */
  remove(session: SessionRecord): void {
    for (const { key: partKey, value } of [...this.parts(session)]) {
      if (partKey[8] === kind.cursor[0]) {
        const cursor = readCursor(value);
        this.logs.removeCursor(cursor.filter, cursor.acknowledged, session.number);
      } else if (partKey[8] === kind.subscription[0]) {
        const { filter, qos } = readSubscription(value);
        if (isShared(filter) && qos > 0) this.groups.leave(filter, session.clientId);
      }
      void this.tables.part.remove(partKey);
    }
    this.logs.forgetProducer(session.clientId);
    this.removeOwner(session);
    this.removeExpiry(session);
    void this.tables.session.remove(textKey(session.clientId));
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
      .text(session.clientId);
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

  private removeExpiry(session: SessionRecord): void {
    if (session.expiresAt > 0) void this.tables.expiry.remove(key(session.expiresAt, session.number));
  }

  private parts(session: SessionRecord): Iterable<{ key: Buffer; value: Buffer }> {
    const start = key(session.number);
    return this.tables.part.getRange({ start, end: behind(start) }) as Iterable<{ key: Buffer; value: Buffer }>;
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

  /** True if the session's count of outbound messages grew. */
  private putOutbound(session: SessionRecord, message: OutboundInflight): boolean {
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
