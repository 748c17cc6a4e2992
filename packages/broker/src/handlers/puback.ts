/** PUBACK from a subscriber (MQTT 5 section 3.4): a QoS 1 message has arrived, its packet identifier is free [MQTT-4.3.2-5]. */
import { decodeAck, PacketType, readPacketId } from '@dunlin/protocol';
import type { Connection } from '../connection.ts';
import { InflightState } from '../inflight.ts';
import type { Session } from '../session.ts';

export function handlePuback(connection: Connection, bytes: Buffer, bodyStart: number, end: number): void {
  // Two bytes are the whole packet nearly always; the longer form is checked in full.
  const packetId =
    end - bodyStart === 2 && readPacketId(bytes, bodyStart) !== 0
      ? readPacketId(bytes, bodyStart)
      : decodeAck(bytes, bodyStart, end, connection.version, PacketType.puback).packetId;
  const session = connection.session as Session;
  const { outbound } = session;
  // Unknown, or in another handshake: nothing to do.
  if (outbound === null || outbound.stateOf(packetId) !== InflightState.sent1) return;
  const { broker } = connection;
  const source = outbound.sourceOf(packetId);
  const sequence = outbound.sequenceOf(packetId);
  // A message of no log whose content the store may have is ended there too.
  if (source === null && session.stored && outbound.contentOf(packetId) !== null)
    broker.writer.completed(session, packetId);
  outbound.release(packetId);
  if (source !== null) {
    // The store may know the packet identifier from before a reconnect.
    if (source.wasResent(sequence)) broker.writer.completed(session, packetId);
    source.acknowledge(sequence);
  }
  broker.delivery.roomCame(session);
}
