/**
 * UNSUBSCRIBE (MQTT 5 section 3.10, MQTT 3.1.1 section 3.10). Nothing new is sent for the filter after UNSUBACK [MQTT-3.10.4-2]; what is in flight is completed
 * [MQTT-3.10.4-3].
 */
import {
  decodeUnsubscribe,
  PacketType,
  type ProtocolVersion,
  ReasonCode,
  type UnsubscribePacket,
} from '@dunlin/protocol';
import type { Broker } from '../broker.ts';
import type { Connection } from '../connection.ts';
import type { HeldPacket } from '../held-packets.ts';
import { nextTurn, sliceItems } from '../in-slices.ts';
import type { LogCursor } from '../log-cursor.ts';
import { keepInflight } from '../resends.ts';
import type { Session } from '../session.ts';
import { removeSubscription } from '../session-subscriptions.ts';
import { filtersAtOnce, inTurn } from './subscribe.ts';

/** Those that are held right behind one another go to the store together, each with its own UNSUBACK. */
export function handleUnsubscribe(connection: Connection, bytes: Buffer, bodyStart: number, end: number): void {
  const packets = [decodeUnsubscribe(bytes, bodyStart, end, connection.version)];
  for (let filters = packets[0].filters.length; filters < filtersAtOnce; ) {
    const next = connection.nextHeld(PacketType.unsubscribe);
    const packet = next === null ? null : decodedOrNull(next, connection.version);
    if (packet === null) break;
    connection.takeHeld();
    packets.push(packet);
    filters += packet.filters.length;
  }
  const session = connection.session as Session;
  connection.holdUntil(inTurn(connection, () => unsubscribe(connection, session, packets)));
}

/** Null: it breaks the rules, which is said when its turn comes. */
function decodedOrNull({ bytes, bodyStart }: HeldPacket, version: ProtocolVersion): UnsubscribePacket | null {
  try {
    return decodeUnsubscribe(bytes, bodyStart, bytes.length, version);
  } catch {
    return null;
  }
}

async function unsubscribe(
  connection: Connection,
  session: Session,
  packets: readonly UnsubscribePacket[],
): Promise<void> {
  const { broker } = connection;
  const all = packets.flatMap(({ filters }) => filters);
  const reasonCodes: number[] = [];
  for (let from = 0; from < all.length; from += sliceItems) {
    if (from > 0) await nextTurn(broker.clock);
    if (session.ended) return;
    await unsubscribeSome(broker, session, all.slice(from, from + sliceItems), reasonCodes);
  }
  let at = 0;
  for (const { packetId, filters } of packets) {
    const codes = reasonCodes.slice(at, at + filters.length);
    at += filters.length;
    connection.send({ type: 'unsuback', packetId, reasonCodes: codes, properties: {} }); // [MQTT-3.10.4-4], [MQTT-3.10.4-5]
  }
}

async function unsubscribeSome(
  broker: Broker,
  session: Session,
  filters: string[],
  reasonCodes: number[],
): Promise<void> {
  const left = new Set<LogCursor>();
  for (const filter of filters) {
    const subscription = session.subscriptions.get(filter); // compared to the letter [MQTT-3.10.4-1]
    reasonCodes.push(subscription === undefined ? ReasonCode.noSubscriptionExisted : ReasonCode.success);
    if (subscription === undefined) continue;
    if (subscription.cursor !== null) left.add(subscription.cursor);
    removeSubscription(broker, subscription);
  }
  if (!session.stored) return;
  await keepInflight(broker.store, session, left);
  await broker.store.unsubscribe(session.key, filters);
  broker.durableFilters.markStale();
}
