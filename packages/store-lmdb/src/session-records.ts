import type { Cursor, EndpointId, StoredInbound, StoredOutbound, StoredSubscription } from '@dunlin/broker';
import { RecordReader } from './records.ts';

/**
 * Record of the session; subscriptions, cursors and handshakes have keys of their own, so that the cost of a change
 * depends on the change.
 */
export interface SessionRecord {
  clientId: string;
  /** Number of the session in the keys of its parts. */
  number: number;
  epoch: number;
  owner: EndpointId;
  sessionExpirySeconds: number;
  /** Time at which the session ends; 0 while connected. */
  expiresAt: number;
  producerNumber: number;
  /** Count of outbound messages, to return them in the order in which they were added. */
  outboundOrder: number;
  /** User that owns the session; empty: nobody, as in records of earlier releases. */
  user: string;
}

export interface CursorRecord extends Cursor {
  logNumber: number;
}

export function readSession(record: Uint8Array): SessionRecord {
  const reader = new RecordReader(record);
  const session = {
    number: reader.f64(),
    epoch: reader.f64(),
    sessionExpirySeconds: reader.u32(),
    expiresAt: reader.f64(),
    producerNumber: reader.f64(),
    outboundOrder: reader.f64(),
    owner: reader.text(),
    clientId: reader.text(),
    user: '',
  };
  if (reader.rest().length > 0) session.user = reader.text();
  return session;
}

export function readSubscription(record: Uint8Array): StoredSubscription {
  const reader = new RecordReader(record);
  return {
    qos: reader.u8() as 0 | 1 | 2,
    noLocal: reader.u8() === 1,
    retainAsPublished: reader.u8() === 1,
    retainHandling: reader.u8() as 0 | 1 | 2,
    subscriptionIdentifier: reader.u32(),
    filter: reader.text(),
  };
}

export function readCursor(record: Uint8Array): CursorRecord {
  const reader = new RecordReader(record);
  const cursor: CursorRecord = {
    logNumber: reader.f64(),
    acknowledged: reader.f64(),
    filter: reader.text(),
    above: [],
  };
  for (let left = reader.u32(); left > 0; left--) cursor.above.push(reader.f64());
  if (reader.rest().length > 0) cursor.owed = { sequence: reader.f64(), qos: reader.u8() as 1 | 2 };
  return cursor;
}

export function readOutbound(packetId: number, record: Uint8Array): { order: number; message: StoredOutbound } {
  const reader = new RecordReader(record);
  const order = reader.f64();
  const state = reader.u8() === 0 ? 'sent' : 'released';
  const qos = reader.u8() as 1 | 2;
  const sequence = reader.f64();
  const filter = reader.text();
  const hasRecord = reader.u8() === 1;
  return { order, message: { packetId, state, qos, filter, sequence, record: hasRecord ? reader.rest() : null } };
}

/** Reads a record of this or an earlier release: the latter has no digest. */
export function readInbound(packetId: number, record: Uint8Array): StoredInbound {
  const reader = new RecordReader(record);
  const producerNumber = reader.f64();
  return { packetId, producerNumber, digest: reader.rest().length === 0 ? 0 : reader.u32() | 0 };
}
