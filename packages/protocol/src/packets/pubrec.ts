import { PacketType } from '../packet-type.ts';
import type { ProtocolVersion } from '../version.ts';
import { type AckPacket, decodeAck, encodeAck } from './ack.ts';

/** Decodes a PUBREC in bytes[bodyStart, end). Throws a ProtocolError; see `decodeAck`. */
export function decodePubrec(bytes: Buffer, bodyStart: number, end: number, version: ProtocolVersion): AckPacket {
  return decodeAck(bytes, bodyStart, end, version, PacketType.pubrec);
}

/** Encodes a PUBREC in the shortest form that says it all. */
export function encodePubrec(packet: AckPacket, version: ProtocolVersion): Buffer {
  return encodeAck(PacketType.pubrec, packet, version);
}
