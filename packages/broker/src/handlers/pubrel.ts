/**
 * PUBREL from a publisher (MQTT 5 section 3.6): its packet identifier is free again, PUBCOMP follows [MQTT-4.3.3-11].
 * For a durable session this is stored first: else, after a crash, the identifier's next message would be taken for a
 * repetition and lost (P2).
 */

import { decodeAck, PacketType, ReasonCode } from '@dunlin/protocol';
import type { Connection } from '../connection/connection.ts';
import type { SessionPacketHandler } from '../connection/packet-handlers.ts';
import type { UnreleasedMessages } from '../guards/unreleased-messages.ts';
import type { Session } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';

export interface PubrelHandlerParts {
  writer: SessionWriter;
  unreleased: UnreleasedMessages<Connection>;
}

export class PubrelHandler implements SessionPacketHandler {
  private readonly parts: PubrelHandlerParts;

  constructor(parts: PubrelHandlerParts) {
    this.parts = parts;
  }

  handle(connection: Connection, session: Session, bytes: Buffer, bodyStart: number, end: number): void {
    const { packetId } = decodeAck(bytes, bodyStart, end, connection.version, PacketType.pubrel);
    const known = session.inbound?.delete(packetId) ?? false;
    this.parts.unreleased.released(connection, session.inbound?.countHere ?? 0);
    if (!session.isStored || !known) {
      connection.outlet.sendAcknowledgement(
        7,
        packetId,
        known || !connection.version5 ? 0 : ReasonCode.packetIdentifierNotFound,
      );
      return;
    }
    this.parts.writer.releaseInbound(session, packetId, () => connection.outlet.sendAcknowledgement(7, packetId, 0));
  }
}
