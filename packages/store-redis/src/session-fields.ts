/**
 * The fields of a session's hash, and how they are laid out. Scripts read those of one letter; the rest is opaque to them.
 *
 * | field             | holds                                                                                                |
 * | ----------------- | ---------------------------------------------------------------------------------------------------- |
 * | `e` `o`           | the claim: epoch, owner (empty: none). An ephemeral session has no other field                       |
 * | `i`               | session id: the epoch in which the session was created; with its shard it is unique for ever           |
 * | `x` `a`           | session expiry in seconds; when the session ends, 0 while connected, `inf` never                       |
 * | `n` `c` `t`       | last producer number; outbound messages ever added; present: logs may have taken producer numbers      |
 * | `s:` filter       | subscription: flags byte, u32 subscription identifier                                                |
 * | `k:` filter       | cursor: `A` acknowledged `;` numbers above, by commas `;` number and QoS of what is owed. `P` `R` `G`: what the log is still to be told (subscribe.lua). Of a group's name: the membership |
 * | `q:` packet id    | outbound message: f64 place in the order, then see `writeOutbound`                                   |
 * | `i:` packet id    | inbound message: producer number `;` shards of the logs that took it, by commas `;` digest           |
 */

import {
  type Cursor,
  type SessionChange,
  type StoredOutbound,
  type StoredSession,
  type StoredSubscription,
  type StoredWill,
  StoreError,
} from '@dunlin/broker/ports';
import { isShared } from '@dunlin/protocol';
import type { Argument } from './turn.ts';

/** Text of a time that may be infinite. */
export function timeText(time: number): string {
  return time === Infinity ? 'inf' : String(time);
}

export function parseTime(text: string): number {
  return text === 'inf' ? Infinity : Number(text);
}

export function writeSubscription(subscription: StoredSubscription): Buffer {
  const { qos, noLocal, retainAsPublished, retainHandling, subscriptionIdentifier } = subscription;
  const bytes = Buffer.allocUnsafe(5);
  // As in the options byte of SUBSCRIBE (MQTT 5, 3.8.3.1).
  bytes[0] = qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4);
  bytes.writeUInt32BE(subscriptionIdentifier, 1);
  return bytes;
}

function readSubscription(filter: string, bytes: Buffer): StoredSubscription {
  return {
    filter,
    qos: (bytes[0] & 3) as 0 | 1 | 2,
    noLocal: (bytes[0] & 4) !== 0,
    retainAsPublished: (bytes[0] & 8) !== 0,
    retainHandling: ((bytes[0] >> 4) & 3) as 0 | 1 | 2,
    subscriptionIdentifier: bytes.readUInt32BE(1),
  };
}

export function writeCursor({ acknowledged, above, owed }: Cursor): string {
  if (owed !== undefined) return `A${acknowledged};${above.join(',')};${owed.sequence},${owed.qos}`;
  return above.length === 0 ? `A${acknowledged}` : `A${acknowledged};${above.join(',')}`;
}

export function readCursor(filter: string, text: string): Cursor {
  const [acknowledged, above = '', owed = ''] = text.slice(1).split(';');
  const numbers = above === '' ? [] : above.split(',').map(Number);
  const cursor: Cursor = { filter, acknowledged: Number(acknowledged), above: numbers };
  if (owed === '') return cursor;
  const [sequence, qos] = owed.split(',').map(Number);
  return { ...cursor, owed: { sequence, qos: qos as 1 | 2 } };
}

/** u8 state, u8 QoS, f64 log number, u8 1 with a record, u16 length, filter, record. */
export function writeOutbound(message: StoredOutbound): Buffer {
  const filterBytes = Buffer.byteLength(message.filter);
  const bytes = Buffer.allocUnsafe(13 + filterBytes + (message.record?.length ?? 0));
  bytes[0] = message.state === 'sent' ? 0 : 1;
  bytes[1] = message.qos;
  bytes.writeDoubleBE(message.sequence, 2);
  bytes[10] = message.record === null ? 0 : 1;
  bytes.writeUInt16BE(filterBytes, 11);
  bytes.write(message.filter, 13);
  if (message.record !== null) bytes.set(message.record, 13 + filterBytes);
  return bytes;
}

function readOutbound(packetId: number, stored: Buffer): { order: number; message: StoredOutbound } {
  const bytes = stored.subarray(8);
  const filterEnd = 13 + bytes.readUInt16BE(11);
  return {
    order: stored.readDoubleBE(0),
    message: {
      packetId,
      state: bytes[0] === 0 ? 'sent' : 'released',
      qos: bytes[1] as 1 | 2,
      filter: bytes.toString('utf8', 13, filterEnd),
      sequence: bytes.readDoubleBE(2),
      record: bytes[10] === 1 ? bytes.subarray(filterEnd) : null,
    },
  };
}

/** Changes as the list that `takeChanges` in session-parts.lua reads. */
export function changeArguments(change: SessionChange): Argument[] {
  const { cursors = [], outboundSet = [], outboundDelete = [], inboundDelete = [] } = change;
  const { sessionExpirySeconds } = change;
  const args: Argument[] = [sessionExpirySeconds === undefined ? '' : String(sessionExpirySeconds)];
  args.push(String(cursors.length));
  for (const cursor of cursors) args.push(cursor.filter, String(cursor.acknowledged), writeCursor(cursor));
  args.push(String(outboundSet.length));
  for (const message of outboundSet) args.push(String(message.packetId), writeOutbound(message));
  args.push(String(outboundDelete.length));
  for (const packetId of outboundDelete) args.push(String(packetId));
  args.push(String(inboundDelete.length));
  for (const packetId of inboundDelete) args.push(String(packetId));
  return args;
}

/** Reads an inbound message's field; one of an earlier release has no digest. */
export function readInbound(text: string): { producerNumber: number; shards: number[]; digest: number } {
  const [number, shards, digest = '0'] = text.split(';');
  return {
    producerNumber: Number(number),
    shards: shards === '' ? [] : shards.split(',').map(Number),
    digest: Number(digest),
  };
}

/** A cursor whose log was not updated: an operation was cut off. */
export interface UnfinishedCursor {
  filter: string;
  state: 'P' | 'R' | 'G';
}

export interface ReadSession {
  id: string;
  session: StoredSession;
  unfinished: UnfinishedCursor[];
}

/**
 * Reads a session from field, value, field, value … `pages`: further pages of a large session; values in the first ones
 * count.
 */
export async function readSession(
  clientId: string,
  fields: readonly Buffer[],
  pages: AsyncIterable<readonly Buffer[]> | null,
): Promise<ReadSession> {
  const read: ReadSession = { id: '', session: emptySession(clientId), unfinished: [] };
  const outbound: { order: number; message: StoredOutbound }[] = [];
  for (let i = 0; i < fields.length; i += 2) readField(read, outbound, fields[i].toString(), fields[i + 1]);
  if (pages !== null) {
    const seen = new Set<string>();
    for await (const page of pages) {
      for (let i = 0; i < page.length; i += 2) {
        const name = page[i].toString();
        if (name.length === 1 || seen.has(name)) continue;
        seen.add(name);
        readField(read, outbound, name, page[i + 1]);
      }
    }
  }
  outbound.sort((a, b) => a.order - b.order);
  for (const { message } of outbound) read.session.outbound.push(message);
  return read;
}

function emptySession(clientId: string): StoredSession {
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

function readField(
  read: ReadSession,
  outbound: { order: number; message: StoredOutbound }[],
  name: string,
  value: Buffer,
): void {
  const { session } = read;
  const rest = name.slice(2);
  if (name === 'i') read.id = value.toString();
  else if (name === 'x') session.sessionExpirySeconds = Number(value.toString());
  else if (name === 'a') session.expiresAt = parseTime(value.toString());
  else if (name === 'n') session.producerNumber = Number(value.toString());
  else if (name.startsWith('s:')) session.subscriptions.push(readSubscription(rest, value));
  else if (name.startsWith('k:')) {
    const text = value.toString();
    if (text[0] === 'A') {
      if (!isShared(rest)) session.cursors.push(readCursor(rest, text));
    } else read.unfinished.push({ filter: rest, state: text as UnfinishedCursor['state'] });
  } else if (name.startsWith('q:')) outbound.push(readOutbound(Number(rest), value));
  else if (name.startsWith('i:')) {
    const { producerNumber, digest } = readInbound(value.toString());
    session.inbound.push({ packetId: Number(rest), producerNumber, digest });
  } else if (!/^[eoct]$/.test(name)) {
    throw new StoreError('corrupt', `a session has the field "${name}", which this program does not know`);
  }
}

/** The layout is in session-parts.lua. */
export function readWill(clientId: string, bytes: Buffer): StoredWill {
  const recordAt = 22 + bytes.readUInt16BE(20);
  return {
    clientId,
    epoch: bytes.readDoubleBE(0),
    delaySeconds: bytes.readUInt32BE(8),
    dueAt: bytes.readDoubleBE(12),
    owner: bytes.toString('utf8', 22, recordAt),
    record: bytes.subarray(recordAt),
  };
}
