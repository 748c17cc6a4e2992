/**
 * PUBREC from a subscriber (MQTT 5 section 3.5): the QoS 2 message has arrived, PUBREL follows [MQTT-4.3.3-4]. For a
 * message of a durable session this is stored first: were the PUBREL forgotten in a crash, the message would be sent
 * again to a client that has forgotten it (P2).
 */

import { decodeAck, PacketType, ReasonCode } from '@dunlin/protocol';
import type { Connection } from '../connection/connection.ts';
import type { SessionPacketHandler } from '../connection/packet-handlers.ts';
import type { SessionDelivery } from '../delivery/session-delivery.ts';
import { InflightState } from '../session/inflight.ts';
import type { Session } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';
import { finishOutbound } from './pubcomp.ts';

export interface PubrecHandlerParts {
  writer: SessionWriter;
  delivery: SessionDelivery;
}

export class PubrecHandler implements SessionPacketHandler {
  private readonly parts: PubrecHandlerParts;

  constructor(parts: PubrecHandlerParts) {
    this.parts = parts;
  }

  handle(connection: Connection, session: Session, bytes: Buffer, bodyStart: number, end: number): void {
    const { packetId, reasonCode } = decodeAck(bytes, bodyStart, end, connection.version, PacketType.pubrec);
    const { parts } = this;
    const { outbound } = session;
    const state = outbound?.stateOf(packetId) ?? InflightState.none;
    if (outbound === null || (state !== InflightState.sent2 && state !== InflightState.released)) {
      if (reasonCode >= 0x80) return; // That handshake is over for the client: no PUBREL is due [MQTT-4.3.3-4].
      // MQTT 5 gets 0x92, "packet identifier not found"; older versions get PUBREL, so that the client can release it.
      connection.outlet.sendAcknowledgement(6, packetId, connection.version5 ? ReasonCode.packetIdentifierNotFound : 0);
      return;
    }
    if (reasonCode >= 0x80) {
      finishOutbound(parts, session, packetId); // refused: the message is not sent again [MQTT-4.3.3-3]
      return;
    }
    const source = outbound.sourceOf(packetId);
    const isStored = session.isStored && (source !== null || outbound.contentOf(packetId) !== null);
    if (!isStored || state === InflightState.released) {
      outbound.setReleased(packetId);
      connection.outlet.sendAcknowledgement(6, packetId, 0);
      return;
    }
    const filter = source?.filter ?? outbound.contentOf(packetId)?.filter ?? '';
    const sequence = outbound.sequenceOf(packetId);
    outbound.setReleased(packetId);
    parts.writer.setOutbound(session, { packetId, state: 'released', qos: 2, filter, sequence, record: null }, () => {
      connection.outlet.sendAcknowledgement(6, packetId, 0);
    });
  }
}
