/** PUBCOMP from a subscriber (MQTT 5 section 3.7): the QoS 2 handshake is through. */
import { decodeAck, PacketType } from '@dunlin/protocol';
import type { Connection } from '../connection.ts';
import { InflightState } from '../inflight.ts';
import type { Session } from '../session.ts';

export function handlePubcomp(connection: Connection, bytes: Buffer, bodyStart: number, end: number): void {
  const { packetId } = decodeAck(bytes, bodyStart, end, connection.version, PacketType.pubcomp);
  const session = connection.session as Session;
  if (session.outbound?.stateOf(packetId) === InflightState.released) finishOutbound(connection, session, packetId);
}

/** Frees a QoS 2 packet identifier and tells where its message came from. */
export function finishOutbound(connection: Connection, session: Session, packetId: number): void {
  const { outbound } = session;
  if (outbound === null) return;
  const { broker } = connection;
  const source = outbound.sourceOf(packetId);
  const sequence = outbound.sequenceOf(packetId);
  if (session.stored) broker.writer.completed(session, packetId);
  outbound.release(packetId);
  if (source !== null) source.acknowledge(sequence);
  broker.delivery.roomCame(session);
}
