/**
 * UNSUBSCRIBE (MQTT 5 section 3.10, MQTT 3.1.1 section 3.10). Nothing new is sent for the filter after UNSUBACK
 * [MQTT-3.10.4-2]; what is in flight is completed [MQTT-3.10.4-3].
 */

import {
  decodeUnsubscribe,
  PacketType,
  type ProtocolVersion,
  ReasonCode,
  type UnsubscribePacket,
} from '@dunlin/protocol';
import type { Connection } from '../connection/connection.ts';
import type { HeldPacket } from '../connection/held-packets.ts';
import type { SessionPacketHandler } from '../connection/packet-handlers.ts';
import type { SubscribeQueue } from '../connection/subscribe-queue.ts';
import type { Clock } from '../ports/clock.ts';
import type { LogCursor } from '../session/log-cursor.ts';
import type { Session } from '../session/session.ts';
import { keepInflight } from '../session/stored-inflight.ts';
import { removeSubscription, type SubscriptionParts } from '../takeover/session-subscriptions.ts';
import { nextTurn, sliceItems } from '../work/in-slices.ts';
import { filtersAtOnce } from './subscribe.ts';

/** The decoded packet; null: malformed, which ends the connection when its turn comes. */
function decodedOrNull({ bytes, bodyStart }: HeldPacket, version: ProtocolVersion): UnsubscribePacket | null {
  try {
    return decodeUnsubscribe(bytes, bodyStart, bytes.length, version);
  } catch {
    return null;
  }
}

async function unsubscribeSome(
  parts: SubscriptionParts,
  session: Session,
  filters: string[],
  reasonCodes: number[],
): Promise<void> {
  const left = new Set<LogCursor>();
  for (const filter of filters) {
    const subscription = session.subscriptions.get(filter); // compared byte by byte [MQTT-3.10.4-1]
    reasonCodes.push(subscription === undefined ? ReasonCode.noSubscriptionExisted : ReasonCode.success);
    if (subscription === undefined) continue;
    if (subscription.cursor !== null) left.add(subscription.cursor);
    removeSubscription(parts, subscription);
  }
  if (!session.isStored) return;
  await keepInflight(parts.store, session, left);
  await parts.store.sessions.unsubscribe(session.key, filters);
  parts.durableFilters.markStale();
}

export interface UnsubscribeHandlerParts {
  clock: Clock;
  subscriptions: SubscriptionParts;
  queue: SubscribeQueue;
}

export class UnsubscribeHandler implements SessionPacketHandler {
  private readonly parts: UnsubscribeHandlerParts;

  constructor(parts: UnsubscribeHandlerParts) {
    this.parts = parts;
  }

  /** UNSUBSCRIBE packets held right behind one another go to the store together, each with its own UNSUBACK. */
  handle(connection: Connection, session: Session, bytes: Buffer, bodyStart: number, end: number): void {
    const packets = [decodeUnsubscribe(bytes, bodyStart, end, connection.version)];
    for (let filters = packets[0].filters.length; filters < filtersAtOnce; ) {
      const next = connection.holding.next(PacketType.unsubscribe);
      const packet = next === null ? null : decodedOrNull(next, connection.version);
      if (packet === null) break;
      connection.holding.take();
      packets.push(packet);
      filters += packet.filters.length;
    }
    connection.holding.until(this.parts.queue.inTurn(connection, () => this.unsubscribe(connection, session, packets)));
  }

  private async unsubscribe(
    connection: Connection,
    session: Session,
    packets: readonly UnsubscribePacket[],
  ): Promise<void> {
    const { parts } = this;
    const all = packets.flatMap(({ filters }) => filters);
    const reasonCodes: number[] = [];
    for (let from = 0; from < all.length; from += sliceItems) {
      if (from > 0) await nextTurn(parts.clock);
      if (session.hasEnded) return;
      await unsubscribeSome(this.parts.subscriptions, session, all.slice(from, from + sliceItems), reasonCodes);
    }
    let at = 0;
    for (const { packetId, filters } of packets) {
      const codes = reasonCodes.slice(at, at + filters.length);
      at += filters.length;
      connection.outlet.send({ type: 'unsuback', packetId, reasonCodes: codes, properties: {} }); // [MQTT-3.10.4-4], [MQTT-3.10.4-5]
    }
  }
}
