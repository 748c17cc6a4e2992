/**
 * UNSUBSCRIBE (MQTT 5 section 3.10, MQTT 3.1.1 section 3.10). Nothing new is sent for the filter after UNSUBACK
 * [MQTT-3.10.4-2]; what is in flight is completed [MQTT-3.10.4-3].
 */

import {
  decodeFilters,
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
import type { Limits } from '../ports/limits.ts';
import type { LogCursor } from '../session/log-cursor.ts';
import type { Session } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';
import { keepInflight } from '../session/stored-inflight.ts';
import { removeSubscription, type SubscriptionParts } from '../takeover/session-subscriptions.ts';
import { endSuspended } from '../takeover/suspension.ts';
import { nextTurn, sliceItems } from '../work/in-slices.ts';
import { filtersAtOnce } from './subscribe.ts';

/** The decoded packet; null: malformed, which ends the connection when its turn comes, or one that is handled alone. */
function decodedOrNull(
  { bytes, bodyStart }: HeldPacket,
  version: ProtocolVersion,
  filtersMax: number,
): UnsubscribePacket | null {
  try {
    const packet = decodeUnsubscribe(bytes, bodyStart, bytes.length, version, filtersMax);
    return packet.rest === undefined ? packet : null;
  } catch {
    return null;
  }
}

/** Filters of UNSUBSCRIBE packets: those that are decoded, and the bytes of further ones. */
class FilterList {
  private readonly decoded: readonly string[];
  private readonly bytes: Buffer;
  private decodedAt = 0;
  private at = 0;

  constructor(decoded: readonly string[], bytes: Buffer) {
    this.decoded = decoded;
    this.bytes = bytes;
  }

  /** The next ones; empty: there are no more. Throws ProtocolError. */
  take(count: number): string[] {
    if (this.decodedAt < this.decoded.length) {
      this.decodedAt += count;
      return this.decoded.slice(this.decodedAt - count, this.decodedAt);
    }
    const { filters, at } = decodeFilters(this.bytes, this.at, this.bytes.length, count);
    this.at = at;
    return filters;
  }
}

const noBytes = Buffer.alloc(0);

async function unsubscribeSome(
  { subscriptions: parts, writer }: Pick<UnsubscribeHandlerParts, 'subscriptions' | 'writer'>,
  session: Session,
  filters: string[],
  reasonCodes: number[],
): Promise<void> {
  const left = new Set<LogCursor>();
  for (const filter of filters) {
    const subscription = session.subscriptions.get(filter); // compared byte by byte [MQTT-3.10.4-1]
    const wasSuspended = subscription === undefined && endSuspended(parts, writer, session, filter, left);
    const isKnown = subscription !== undefined || wasSuspended;
    reasonCodes.push(isKnown ? ReasonCode.success : ReasonCode.noSubscriptionExisted);
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
  limits: Limits;
  subscriptions: SubscriptionParts;
  queue: SubscribeQueue;
  writer: SessionWriter;
}

export class UnsubscribeHandler implements SessionPacketHandler {
  private readonly parts: UnsubscribeHandlerParts;

  constructor(parts: UnsubscribeHandlerParts) {
    this.parts = parts;
  }

  /**
   * UNSUBSCRIBE packets held right behind one another go to the store together, each with its own UNSUBACK. All filters
   * of a packet are handled, whatever their number: an UNSUBACK of MQTT 3 could not say that some are still in force.
   * Beyond `filtersPerPacketMax` they are decoded some a turn.
   */
  handle(connection: Connection, session: Session, bytes: Buffer, bodyStart: number, end: number): void {
    const { filtersPerPacketMax } = this.parts.limits;
    const packets = [decodeUnsubscribe(bytes, bodyStart, end, connection.version, filtersPerPacketMax)];
    const { rest } = packets[0];
    for (let filters = packets[0].filters.length; rest === undefined && filters < filtersAtOnce; ) {
      const next = connection.holding.next(PacketType.unsubscribe);
      const packet = next === null ? null : decodedOrNull(next, connection.version, filtersPerPacketMax);
      if (packet === null) break;
      connection.holding.take();
      packets.push(packet);
      filters += packet.filters.length;
    }
    connection.rates?.subscribed(packets.length);
    const decoded = packets.flatMap(({ filters }) => filters);
    const list = new FilterList(decoded, rest === undefined ? noBytes : Buffer.from(bytes.subarray(rest.at, end)));
    const done = this.parts.queue.inTurn(connection, () => this.unsubscribe(connection, session, packets, list));
    connection.holding.until(done);
  }

  private async unsubscribe(
    connection: Connection,
    session: Session,
    packets: readonly UnsubscribePacket[],
    list: FilterList,
  ): Promise<void> {
    const { parts } = this;
    const reasonCodes: number[] = [];
    for (let some = list.take(sliceItems); some.length > 0; some = list.take(sliceItems)) {
      if (reasonCodes.length > 0) await nextTurn(parts.clock);
      if (session.hasEnded) return;
      await unsubscribeSome(parts, session, some, reasonCodes);
    }
    let at = 0;
    for (const { packetId, filters, rest } of packets) {
      const codes = reasonCodes.slice(at, at + filters.length + (rest?.count ?? 0));
      at += codes.length;
      connection.outlet.send({ type: 'unsuback', packetId, reasonCodes: codes, properties: {} }); // [MQTT-3.10.4-4], [MQTT-3.10.4-5]
    }
  }
}
