import { PacketType } from '../packet-type.ts';
import type { ProtocolVersion } from '../version.ts';
import { type AckPacket, decodeAck, encodeAck } from './ack.ts';

/** Decodes a PUBACK in bytes[bodyStart, end). Throws a ProtocolError; see `decodeAck`. */
export function decodePuback(bytes: Buffer, bodyStart: number, end: number, version: ProtocolVersion): AckPacket {
  return decodeAck(bytes, bodyStart, end, version, PacketType.puback);
}

/** Encodes a PUBACK in the shortest form that says it all. */
export function encodePuback(packet: AckPacket, version: ProtocolVersion): Buffer {
  return encodeAck(PacketType.puback, packet, version);
}
