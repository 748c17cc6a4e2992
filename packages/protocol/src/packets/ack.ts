// PUBACK, PUBREC, PUBREL and PUBCOMP have one shape; puback.ts, pubrec.ts, pubrel.ts and pubcomp.ts name it.
import { ByteReader, ByteWriter, protocolError } from '../bytes.ts';
import { type AckType, type PacketName, PacketType, packetNames } from '../packet-type.ts';
import {
  type Properties,
  prefixedPropertiesSize,
  propertiesSize,
  readProperties,
  writeProperties,
} from '../properties.ts';
import { isReasonCodeOf } from '../reason-codes.ts';
import type { ProtocolVersion } from '../version.ts';

export interface AckPacket {
  packetId: number;
  /** 0 before MQTT 5.0. */
  reasonCode: number;
  properties: Properties | null;
}

/** The first byte of each acknowledgement: PUBREL's flags are 0b0010, the others' 0 [MQTT-2.1.3-1] [MQTT-3.6.1-1]. */
function headerOf(type: AckType): number {
  return type === PacketType.pubrel ? 0x62 : type << 4;
}

const reasonStatements: Readonly<Record<AckType, string>> = {
  [PacketType.puback]: 'MQTT-3.4.2-1',
  [PacketType.pubrec]: 'MQTT-3.5.2-1',
  [PacketType.pubrel]: 'MQTT-3.6.2-1',
  [PacketType.pubcomp]: 'MQTT-3.7.2-1',
};

/** The two byte integer at `at`, unchecked: the caller knows that the bytes are there. */
export function readPacketId(bytes: Buffer, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

/**
 * Decodes an acknowledgement in bytes[bodyStart, end). Throws a ProtocolError: 0x81 for fields that do not fit, 0x82
 * for packet identifier 0 and for a reason code of another packet.
 */
export function decodeAck(
  bytes: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
  packetType: AckType,
): AckPacket {
  const reader = new ByteReader(bytes, bodyStart, end);
  const packetId = reader.packetId();
  let reasonCode = 0;
  let properties: Properties | null = null;
  // With 2 bytes the reason code is success, with 3 there are no properties (MQTT 5.0, 3.4.2.1).
  if (version === 5 && reader.left > 0) {
    reasonCode = reader.byte();
    if (!isReasonCodeOf(packetType, reasonCode)) {
      // [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]
      throw protocolError(`${packetNames[packetType]} with reason code ${reasonCode}`, reasonStatements[packetType]);
    }
    if (reader.left > 0) {
      const propertiesEmpty = reader.left === 1;
      const found = readProperties(reader, packetNames[packetType] as PacketName);
      if (!propertiesEmpty) properties = found;
    }
  }
  reader.finish();
  return { packetId, reasonCode, properties };
}

/** Encodes an acknowledgement, in the shortest form that says it all. */
export function encodeAck(type: AckType, packet: AckPacket, version: ProtocolVersion): Buffer {
  const hasProperties = version === 5 && propertiesSize(packet.properties) > 0;
  const hasReason = version === 5 && (packet.reasonCode !== 0 || hasProperties);
  let size = 2;
  if (hasReason) size += 1;
  if (hasProperties) size += prefixedPropertiesSize(packet.properties);
  const writer = new ByteWriter(headerOf(type), size);
  writer.twoByteInteger(packet.packetId); // [MQTT-2.2.1-5]
  if (hasReason) writer.byte(packet.reasonCode);
  if (hasProperties) writeProperties(writer, packet.properties);
  return writer.finish();
}

/** The bytes `writeAck` writes. */
export const shortAckBytes = 4;

/** Writes the 4-byte success form, the same in every version; returns the offset behind it. HOT. */
export function writeAck(out: Buffer, at: number, type: AckType, packetId: number): number {
  out[at] = type === PacketType.pubrel ? 0x62 : type << 4;
  out[at + 1] = 2;
  out[at + 2] = packetId >> 8;
  out[at + 3] = packetId;
  return at + 4;
}
