/** Handlers of packets, by type; each is a file in handlers/. */
import { PacketType, ProtocolError, ReasonCode } from '@dunlin/protocol';
import type { Session } from '../session/session.ts';
import type { Connection } from './connection.ts';

/** Handler of one kind of packet of a connected client. Throws ProtocolError for what ends the connection. */
export interface SessionPacketHandler {
  handle(connection: Connection, session: Session, bytes: Buffer, bodyStart: number, end: number): void;
}

/** Handler of a packet that may arrive before there is a session. */
export interface PacketHandler {
  handle(connection: Connection, bytes: Buffer, bodyStart: number, end: number): void;
}

export interface PublishPacketHandler {
  handle(
    connection: Connection,
    session: Session,
    header: number,
    bytes: Buffer,
    start: number,
    bodyStart: number,
    end: number,
  ): void;
}

/** The handler of each kind of packet (handlers/). */
export interface PacketHandlers {
  connect: PacketHandler;
  auth: PacketHandler;
  publish: PublishPacketHandler;
  puback: SessionPacketHandler;
  pubrec: SessionPacketHandler;
  pubrel: SessionPacketHandler;
  pubcomp: SessionPacketHandler;
  pingreq: SessionPacketHandler;
  subscribe: SessionPacketHandler;
  unsubscribe: SessionPacketHandler;
  disconnect: SessionPacketHandler;
}

/** Dispatches a packet of a connected client, except PUBLISH. The cases are in the order of their frequency. */
export function handlePacket(
  handlers: PacketHandlers,
  type: number,
  connection: Connection,
  session: Session,
  bytes: Buffer,
  bodyStart: number,
  end: number,
): void {
  switch (type) {
    case PacketType.puback:
      handlers.puback.handle(connection, session, bytes, bodyStart, end);
      break;
    case PacketType.pubrec:
      handlers.pubrec.handle(connection, session, bytes, bodyStart, end);
      break;
    case PacketType.pubrel:
      handlers.pubrel.handle(connection, session, bytes, bodyStart, end);
      break;
    case PacketType.pubcomp:
      handlers.pubcomp.handle(connection, session, bytes, bodyStart, end);
      break;
    case PacketType.pingreq:
      handlers.pingreq.handle(connection, session, bytes, bodyStart, end);
      break;
    case PacketType.subscribe:
      handlers.subscribe.handle(connection, session, bytes, bodyStart, end);
      break;
    case PacketType.unsubscribe:
      handlers.unsubscribe.handle(connection, session, bytes, bodyStart, end);
      break;
    case PacketType.disconnect:
      handlers.disconnect.handle(connection, session, bytes, bodyStart, end);
      break;
    case PacketType.auth:
      handlers.auth.handle(connection, bytes, bodyStart, end);
      break;
    default:
      // A second CONNECT [MQTT-3.1.0-2], or a packet that only servers send.
      throw new ProtocolError(ReasonCode.protocolError, `packet type ${type} is not allowed here`, 'MQTT-3.1.0-2');
  }
}
