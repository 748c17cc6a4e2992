/** PUBCOMP from a subscriber (MQTT 5 section 3.7): the QoS 2 handshake is complete. */

import { decodeAck, PacketType } from '@dunlin/protocol';
import type { Connection } from '../connection/connection.ts';
import type { SessionPacketHandler } from '../connection/packet-handlers.ts';
import type { SessionDelivery } from '../delivery/session-delivery.ts';
import { InflightState } from '../session/inflight.ts';
import type { Session } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';

/** Frees a QoS 2 packet identifier and tells the source of its message. */
export function finishOutbound(parts: PubcompHandlerParts, session: Session, packetId: number): void {
  const { outbound } = session;
  if (outbound === null) return;
  const source = outbound.sourceOf(packetId);
  const sequence = outbound.sequenceOf(packetId);
  if (session.isStored) parts.writer.completed(session, packetId);
  outbound.release(packetId);
  if (source !== null) source.acknowledge(sequence);
  parts.delivery.roomCame(session);
}

export interface PubcompHandlerParts {
  writer: SessionWriter;
  delivery: SessionDelivery;
}

export class PubcompHandler implements SessionPacketHandler {
  private readonly parts: PubcompHandlerParts;

  constructor(parts: PubcompHandlerParts) {
    this.parts = parts;
  }

  handle(connection: Connection, session: Session, bytes: Buffer, bodyStart: number, end: number): void {
    const { packetId } = decodeAck(bytes, bodyStart, end, connection.version, PacketType.pubcomp);
    if (session.outbound?.stateOf(packetId) === InflightState.released) finishOutbound(this.parts, session, packetId);
  }
}
