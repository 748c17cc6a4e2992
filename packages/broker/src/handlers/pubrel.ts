/**
 * PUBREL from a publisher (MQTT 5 section 3.6): its packet identifier is free again, PUBCOMP follows [MQTT-4.3.3-11]. For a durable session the store hears of it
 * first: else, after a crash, the identifier's next message would be taken for a repetition and lost (P2).
 */
import { decodeAck, PacketType, ReasonCode } from '@dunlin/protocol';
import type { Connection } from '../connection.ts';
import type { Session } from '../session.ts';

export function handlePubrel(connection: Connection, bytes: Buffer, bodyStart: number, end: number): void {
  const { packetId } = decodeAck(bytes, bodyStart, end, connection.version, PacketType.pubrel);
  const session = connection.session as Session;
  const known = session.inbound?.delete(packetId) ?? false;
  if (!session.stored || !known) {
    connection.sendAcknowledgement(
      7,
      packetId,
      known || !connection.version5 ? 0 : ReasonCode.packetIdentifierNotFound,
    );
    return;
  }
  connection.broker.writer.releaseInbound(session, packetId, () => connection.sendAcknowledgement(7, packetId, 0));
}
