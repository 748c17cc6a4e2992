/**
 * Stored form of the messages in flight to a client: written, read after a reconnect, and completed with their content
 * when their log is left.
 */

import { recordAsSent } from '../message/identifier-properties.ts';
import { RecordError, readRecord } from '../message/message-record.ts';
import type { LogStore } from '../ports/log-store.ts';
import type { StoredOutbound } from '../ports/session-store.ts';
import type { Store } from '../ports/store.ts';
import { InflightState } from './inflight.ts';
import type { LogCursor } from './log-cursor.ts';
import { Resends } from './resends.ts';
import type { Session } from './session.ts';

/** Messages in flight read from logs at once. */
const readAtOnce = 64;

/** Stored form of everything in flight to the client. */
export function outboundOf(session: Session): StoredOutbound[] {
  const { outbound } = session;
  if (outbound === null) return [];
  const found: StoredOutbound[] = [];
  for (const packetId of outbound.packetIdsInUse()) {
    const source = outbound.sourceOf(packetId);
    const content = outbound.contentOf(packetId);
    const state = outbound.stateOf(packetId);
    const released = state === InflightState.released;
    // A group's unacknowledged message goes to another member, except one that is reserved for this client
    // (group-reservations.ts).
    const isKept = source?.isKept === true;
    if (!isKept && content === null && !released) continue;
    found.push({
      packetId,
      state: released ? 'released' : 'sent',
      qos: state === InflightState.sent1 ? 1 : 2,
      filter: source?.filter ?? content?.filter ?? '',
      sequence: outbound.sequenceOf(packetId),
      record: content === null ? null : content.publication.bytes,
    });
  }
  if (session.suspended !== null) found.push(...session.suspended.withheld.values());
  return found;
}

/** Restores the identifiers in use after a reconnect. */
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

/** Restores a message whose content is in the session's record alone. */
function restoreContent(session: Session, { packetId, filter, record }: StoredOutbound): void {
  if (record === null) return;
  try {
    session.outboundInflight.keepContent(packetId, { publication: readRecord(record), filter, member: null });
  } catch (error) {
    if (!(error instanceof RecordError)) throw error; // `resend` logs it, and ends its handshake
  }
}

/**
 * Keeps the content of messages in flight from logs that the session is about to leave with their packet identifiers,
 * since a log may be deleted with its last subscription [MQTT-3.10.4-3], [MQTT-4.4.0-1]. Resolves when it is stored;
 * rejects with StoreError.
 */
export async function keepInflight(
  store: Pick<Store, 'sessions' | 'logs'>,
  session: Session,
  left: ReadonlySet<LogCursor>,
): Promise<void> {
  const { outbound } = session;
  if (outbound === null || left.size === 0) return;
  const messages = outboundOf(session).filter(
    ({ packetId, state }) => state === 'sent' && left.has(outbound.sourceOf(packetId) as LogCursor),
  );
  for (let from = 0; from < messages.length; from += readAtOnce) {
    const batch = messages.slice(from, from + readAtOnce);
    const records = await Promise.all(batch.map((message) => recordOf(store.logs, message)));
    if (session.hasEnded) return;
    const kept = batch
      .map((message, i) => asSent(message, records[i], outbound.sourceOf(message.packetId) as LogCursor))
      .filter((message) => message !== null);
    const outboundSet = kept.filter((message) => goesOnAlone(session, message));
    for (const { packetId } of outboundSet) session.outboundDeleted.delete(packetId);
    if (outboundSet.length > 0) await store.sessions.update(session.key, { outboundSet });
  }
}

/**
 * The stored message without its filter: a new subscription to the same filter is another one. Null: its content is
 * gone.
 */
function asSent(message: StoredOutbound, record: Uint8Array | null, cursor: LogCursor | null): StoredOutbound | null {
  if (record === null || cursor === null) return null;
  const { identifiers, retainAsPublished } = cursor.subscription;
  try {
    const retain = retainAsPublished && readRecord(record).retain;
    return { ...message, filter: '', record: recordAsSent(record, identifiers, retain) };
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return { ...message, record }; // `resend` logs it, and ends its handshake
  }
}

/** False: the message was acknowledged meanwhile. */
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

/** Record of a message in flight; null: it does not exist any more. */
export async function recordOf(logs: LogStore, message: StoredOutbound): Promise<Uint8Array | null> {
  if (message.record !== null) return message.record;
  // At time 0 nothing has expired: a message that was sent once is sent again all the same [MQTT-4.3.3-7].
  const page = await logs.read(message.filter, message.sequence, 1, 1, 0);
  const entry = page.entries[0];
  return entry !== undefined && entry.sequence === message.sequence ? entry.record : null;
}
