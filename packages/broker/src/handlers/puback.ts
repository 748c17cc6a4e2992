/**
 * PUBACK from a subscriber (MQTT 5 section 3.4): a QoS 1 message has arrived, its packet identifier is free
 * [MQTT-4.3.2-5].
 */

import { decodeAck, PacketType, readPacketId } from '@dunlin/protocol';
import type { Connection } from '../connection/connection.ts';
import type { SessionPacketHandler } from '../connection/packet-handlers.ts';
import type { SessionDelivery } from '../delivery/session-delivery.ts';
import { InflightState } from '../session/inflight.ts';
import type { Session } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';

export interface PubackHandlerParts {
  writer: SessionWriter;
  delivery: SessionDelivery;
}

export class PubackHandler implements SessionPacketHandler {
  private readonly parts: PubackHandlerParts;

  constructor(parts: PubackHandlerParts) {
    this.parts = parts;
  }

  handle(connection: Connection, session: Session, bytes: Buffer, bodyStart: number, end: number): void {
    // Nearly every packet has a body of two bytes; the longer form is validated in full.
    const packetId =
      end - bodyStart === 2 && readPacketId(bytes, bodyStart) !== 0
        ? readPacketId(bytes, bodyStart)
        : decodeAck(bytes, bodyStart, end, connection.version, PacketType.puback).packetId;
    const { outbound } = session;
    // Unknown, or in another handshake: nothing to do.
    if (outbound === null || outbound.stateOf(packetId) !== InflightState.sent1) return;
    const { parts } = this;
    const source = outbound.sourceOf(packetId);
    const sequence = outbound.sequenceOf(packetId);
    // A message of no log whose content the store may have is ended there, too.
    if (source === null && session.isStored && outbound.contentOf(packetId) !== null)
      parts.writer.completed(session, packetId);
    outbound.release(packetId);
    if (source !== null) {
      // The store may know the packet identifier from before a reconnect.
      if (source.wasResent(sequence)) parts.writer.completed(session, packetId);
      source.acknowledge(sequence);
    }
    parts.delivery.roomCame(session);
  }
}
