import { PacketType } from '../packet-type.ts';
import type { ProtocolVersion } from '../version.ts';
import { type AckPacket, decodeAck, encodeAck } from './ack.ts';

/** Decodes a PUBREL in bytes[bodyStart, end). Throws a ProtocolError; see `decodeAck`. */
export function decodePubrel(bytes: Buffer, bodyStart: number, end: number, version: ProtocolVersion): AckPacket {
  return decodeAck(bytes, bodyStart, end, version, PacketType.pubrel);
}

/** Encodes a PUBREL in the shortest form that says it all. */
export function encodePubrel(packet: AckPacket, version: ProtocolVersion): Buffer {
  return encodeAck(PacketType.pubrel, packet, version);
}
