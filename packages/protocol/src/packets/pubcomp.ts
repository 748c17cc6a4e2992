import { PacketType } from '../packet-type.ts';
import type { ProtocolVersion } from '../version.ts';
import { type AckPacket, decodeAck, encodeAck } from './ack.ts';

/** Decodes a PUBCOMP in bytes[bodyStart, end). Throws a ProtocolError; see `decodeAck`. */
export function decodePubcomp(bytes: Buffer, bodyStart: number, end: number, version: ProtocolVersion): AckPacket {
  return decodeAck(bytes, bodyStart, end, version, PacketType.pubcomp);
}

/** Encodes a PUBCOMP in the shortest form that says it all. */
export function encodePubcomp(packet: AckPacket, version: ProtocolVersion): Buffer {
  return encodeAck(PacketType.pubcomp, packet, version);
}
