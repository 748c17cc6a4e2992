/**
 * State that a session's owner hands over to the next one (ARCHITECTURE.md, section 7).
 *
 * The claim has moved before the old owner is asked, so its own writes are refused from then on. It answers with all
 * that the store may not have: how far each log was served, and what is in flight. The new owner writes that under its
 * own epoch before it goes on. Unreleased inbound messages are not handed over: the store knows what was appended, and
 * the client sends the rest again.
 */

import { FrameError } from '../message/wire.ts';
import type { Cursor, SessionChange, StoredOutbound, StoredSession } from '../ports/session-store.ts';
import type { Session } from './session.ts';
import { outboundOf } from './stored-inflight.ts';

export interface HandedSession {
  cursors: Cursor[];
  outbound: StoredOutbound[];
  /** Address of the client that had the session, for the log. */
  address: string;
}

export function handOver(session: Session): HandedSession {
  return {
    // Of thousands the store has the position of all but a few.
    cursors: session.unstoredCursors().map((cursor) => cursor.stored()),
    outbound: outboundOf(session),
    address: session.connection.remoteAddress,
  };
}

/** Update that makes the stored session the one handed over; changes `stored` alike. */
export function applyHanded(stored: StoredSession, handed: HandedSession): SessionChange {
  const inUse = new Set(handed.outbound.map((message) => message.packetId));
  const outboundDelete = stored.outbound.map((message) => message.packetId).filter((packetId) => !inUse.has(packetId));
  const byFilter = new Map(handed.cursors.map((cursor) => [cursor.filter, cursor]));
  const cursors: Cursor[] = [];
  for (let i = 0; i < stored.cursors.length && byFilter.size > 0; i++) {
    const cursor = byFilter.get(stored.cursors[i].filter);
    if (cursor === undefined) continue;
    cursors.push(cursor);
    stored.cursors[i] = cursor;
  }
  stored.outbound = handed.outbound;
  return { cursors, outboundSet: handed.outbound, outboundDelete };
}

/** Encodes it for the answer to another endpoint: JSON, records in base64. */
export function encodeHanded(handed: HandedSession | null): string {
  if (handed === null) return '';
  const outbound = handed.outbound.map((message) => ({
    ...message,
    record: message.record === null ? null : Buffer.from(message.record).toString('base64'),
  }));
  return JSON.stringify({ cursors: handed.cursors, outbound, address: handed.address });
}

/** Decodes it. Throws FrameError for any other text: its values are written to the store. */
export function decodeHanded(text: string): HandedSession | null {
  if (text === '') return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FrameError(`a handed session that is not JSON: ${String(error)}`);
  }
  const { cursors, outbound, address = '' } = objectOf(value); // an earlier release sends no address
  return {
    cursors: arrayOf(cursors).map(cursorOf),
    outbound: arrayOf(outbound).map(inflightOf),
    address: textOf(address),
  };
}

function cursorOf(value: unknown): Cursor {
  const { filter, acknowledged, above, owed } = objectOf(value);
  const cursor: Cursor = {
    filter: textOf(filter),
    acknowledged: numberOf(acknowledged),
    above: arrayOf(above).map(numberOf),
  };
  if (owed === undefined) return cursor;
  const { sequence, qos } = objectOf(owed);
  if (qos !== 1 && qos !== 2) throw new FrameError('a cursor of an unknown QoS');
  return { ...cursor, owed: { sequence: numberOf(sequence), qos } };
}

function inflightOf(value: unknown): StoredOutbound {
  const { packetId, state, qos, filter, sequence, record } = objectOf(value);
  const id = numberOf(packetId);
  if (id < 1 || id > 65_535) throw new FrameError(`${id} is not a packet identifier`);
  if (state !== 'sent' && state !== 'released') throw new FrameError('a message in flight of an unknown state');
  if (qos !== 1 && qos !== 2) throw new FrameError('a message in flight of an unknown QoS');
  return {
    packetId: id,
    state,
    qos,
    filter: textOf(filter),
    sequence: numberOf(sequence),
    record: record === null ? null : Buffer.from(textOf(record), 'base64'),
  };
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new FrameError('a handed session that is not an object');
  return value as Record<string, unknown>;
}

function arrayOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new FrameError('a handed session without a list');
  return value;
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new FrameError('a handed session without a text');
  return value;
}

function numberOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new FrameError('a handed session without a number');
  return value;
}
