/** What was in flight before a reconnect and is to be sent again, in its order, as the window of the new connection lets it [MQTT-3.3.4-9], [MQTT-4.6.0-1]. */

import { RecordError, readRecord } from '../message/message-record.ts';
import type { Store, StoredOutbound } from '../ports/store.ts';
import { InflightState } from './inflight.ts';
import type { LogCursor } from './log-cursor.ts';
import type { Session } from './session.ts';
import { outboundOf } from './takeover.ts';

/** Messages in flight read from logs at once. */
const readAtOnce = 64;

export class Resends {
  private readonly messages: readonly StoredOutbound[];
  private at = 0;
  /** The next of them are being read. */
  isReading = false;

  constructor(stored: readonly StoredOutbound[]) {
    this.messages = inOrder(stored);
  }

  /** How many have not been sent on this connection. */
  get left(): number {
    return this.messages.length - this.at;
  }

  /** The next ones, as many as there is room for. They stay until `sent`. */
  next(room: number): readonly StoredOutbound[] {
    return this.messages.slice(this.at, this.at + Math.max(0, Math.min(room, readAtOnce)));
  }

  sent(): void {
    this.at++;
  }
}

/** By log in the order of numbers, logs and messages without one in the order of their first identifier. */
function inOrder(stored: readonly StoredOutbound[]): StoredOutbound[] {
  const byLog = new Map<string, StoredOutbound[]>();
  for (const message of stored) {
    const key = message.sequence > 0 ? message.filter : '';
    const list = byLog.get(key);
    if (list === undefined) byLog.set(key, [message]);
    else list.push(message);
  }
  for (const list of byLog.values()) list.sort((a, b) => a.sequence - b.sequence);
  return [...byLog.values()].flat();
}

/** After a reconnect: the identifiers that are in use. */
export function restoreInflight(session: Session, stored: readonly StoredOutbound[]): void {
  if (stored.length === 0) return;
  session.resends = new Resends(stored);
  const outbound = session.outboundInflight;
  const byFilter = new Map(session.cursors.map((cursor) => [cursor.log.filter, cursor]));
  for (const message of stored) {
    const cursor = byFilter.get(message.filter) ?? null;
    const logged = message.sequence > 0 ? cursor : null;
    const sent = message.qos === 1 ? InflightState.sent1 : InflightState.sent2;
    const state = message.state === 'released' ? InflightState.released : sent;
    outbound.restore(message.packetId, state, logged, message.sequence);
    if (logged !== null) logged.markResent(message);
    if (message.state === 'sent') restoreContent(session, message);
  }
}

/** Its content is nowhere but in the session's record: it goes on with it. */
function restoreContent(session: Session, { packetId, filter, record }: StoredOutbound): void {
  if (record === null) return;
  try {
    session.outboundInflight.keepContent(packetId, { publication: readRecord(record), filter, member: null });
  } catch (error) {
    if (!(error instanceof RecordError)) throw error; // `resend` says so, and ends its handshake
  }
}

/**
 * What is in flight of logs that the session is about to leave: its content goes with its packet identifier from now on, since the logs may go with their last
 * subscription [MQTT-3.10.4-3], [MQTT-4.4.0-1]. Resolves when the store has it; rejects with StoreError.
 */
export async function keepInflight(store: Store, session: Session, left: ReadonlySet<LogCursor>): Promise<void> {
  const { outbound } = session;
  if (outbound === null || left.size === 0) return;
  const messages = outboundOf(session).filter(
    ({ packetId, state }) => state === 'sent' && left.has(outbound.sourceOf(packetId) as LogCursor),
  );
  for (let from = 0; from < messages.length; from += readAtOnce) {
    const batch = messages.slice(from, from + readAtOnce);
    const records = await Promise.all(batch.map((message) => recordOf(store, message)));
    if (session.ended) return;
    const kept = batch
      .map((message, i) => ({ ...message, record: records[i] }))
      .filter(({ record }) => record !== null);
    const outboundSet = kept.filter((message) => goesOnAlone(session, message));
    for (const { packetId } of outboundSet) session.outboundDeleted.delete(packetId);
    if (outboundSet.length > 0) await store.update(session.key, { outboundSet });
  }
}

/** False: it was acknowledged meanwhile. */
function goesOnAlone(session: Session, message: StoredOutbound): boolean {
  const { packetId, sequence } = message;
  const { outboundInflight: outbound } = session;
  const state = outbound.stateOf(packetId);
  if (outbound.sequenceOf(packetId) !== sequence) return false;
  if (state !== InflightState.sent1 && state !== InflightState.sent2) return false;
  restoreContent(session, message);
  outbound.leaveSource(packetId);
  return true;
}

/** The record of a message in flight; null: it is not there any more. */
export async function recordOf(store: Store, message: StoredOutbound): Promise<Uint8Array | null> {
  if (message.record !== null) return message.record;
  // At time 0 nothing has expired: what was sent once is sent again all the same [MQTT-4.3.3-7].
  const page = await store.readLog(message.filter, message.sequence, 1, 1, 0);
  const entry = page.entries[0];
  return entry !== undefined && entry.sequence === message.sequence ? entry.record : null;
}
