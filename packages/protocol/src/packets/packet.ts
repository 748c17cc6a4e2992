import { malformed } from '../bytes.ts';
import { checkHeader } from '../fixed-header.ts';
import { PacketType } from '../packet-type.ts';
import type { ProtocolVersion } from '../version.ts';
import { type AckPacket, decodeAck } from './ack.ts';
import { type AuthPacket, decodeAuth } from './auth.ts';
import { type ConnackPacket, decodeConnack } from './connack.ts';
import { type ConnectPacket, decodeConnect } from './connect.ts';
import { type DisconnectPacket, decodeDisconnect } from './disconnect.ts';
import { decodePingreq } from './pingreq.ts';
import { decodePingresp } from './pingresp.ts';
import { decodePublish, type PublishPacket } from './publish.ts';
import { decodeSuback, type SubackPacket } from './suback.ts';
import { decodeSubscribe, type SubscribePacket } from './subscribe.ts';
import { decodeUnsuback, type UnsubackPacket } from './unsuback.ts';
import { decodeUnsubscribe, type UnsubscribePacket } from './unsubscribe.ts';

/** Any packet, told apart by `type`. */
export type Packet =
  | ({ type: 'connect' } & ConnectPacket)
  | ({ type: 'connack' } & ConnackPacket)
  | PublishPacket
  | ({ type: 'puback' } & AckPacket)
  | ({ type: 'pubrec' } & AckPacket)
  | ({ type: 'pubrel' } & AckPacket)
  | ({ type: 'pubcomp' } & AckPacket)
  | ({ type: 'subscribe' } & SubscribePacket)
  | ({ type: 'suback' } & SubackPacket)
  | ({ type: 'unsubscribe' } & UnsubscribePacket)
  | ({ type: 'unsuback' } & UnsubackPacket)
  | { type: 'pingreq' }
  | { type: 'pingresp' }
  | ({ type: 'disconnect' } & DisconnectPacket)
  | ({ type: 'auth' } & AuthPacket);

/**
 * Decodes the packet of either direction whose body is bytes[bodyStart, end): for tests, clients and tools. A CONNECT
 * tells its own version; `version` is for the others. Throws a ProtocolError.
 */
export function decodePacket(
  header: number,
  bytes: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): Packet {
  checkHeader(header, version);
  switch (header >> 4) {
    case PacketType.connect:
      return { type: 'connect', ...decodeConnect(bytes, bodyStart, end) };
    case PacketType.connack:
      return { type: 'connack', ...decodeConnack(bytes, bodyStart, end, version) };
    case PacketType.publish:
      return decodePublish(header, bytes, bodyStart, end, version);
    case PacketType.puback:
      return { type: 'puback', ...decodeAck(bytes, bodyStart, end, version, PacketType.puback) };
    case PacketType.pubrec:
      return { type: 'pubrec', ...decodeAck(bytes, bodyStart, end, version, PacketType.pubrec) };
    case PacketType.pubrel:
      return { type: 'pubrel', ...decodeAck(bytes, bodyStart, end, version, PacketType.pubrel) };
    case PacketType.pubcomp:
      return { type: 'pubcomp', ...decodeAck(bytes, bodyStart, end, version, PacketType.pubcomp) };
    case PacketType.subscribe:
      return { type: 'subscribe', ...decodeSubscribe(bytes, bodyStart, end, version) };
    case PacketType.suback:
      return { type: 'suback', ...decodeSuback(bytes, bodyStart, end, version) };
    case PacketType.unsubscribe:
      return { type: 'unsubscribe', ...decodeUnsubscribe(bytes, bodyStart, end, version) };
    case PacketType.unsuback:
      return { type: 'unsuback', ...decodeUnsuback(bytes, bodyStart, end, version) };
    case PacketType.pingreq:
      decodePingreq(bodyStart, end);
      return { type: 'pingreq' };
    case PacketType.pingresp:
      decodePingresp(bodyStart, end);
      return { type: 'pingresp' };
    case PacketType.disconnect:
      return { type: 'disconnect', ...decodeDisconnect(bytes, bodyStart, end, version) };
    case PacketType.auth:
      return { type: 'auth', ...decodeAuth(bytes, bodyStart, end, version) };
    default:
      throw malformed('packet type 0 is forbidden');
  }
}
