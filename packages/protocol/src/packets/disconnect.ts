import { ByteReader, ByteWriter, protocolError } from '../bytes.ts';
import { PacketType } from '../packet-type.ts';
import {
  type Properties,
  prefixedPropertiesSize,
  propertiesSize,
  readProperties,
  writeProperties,
} from '../properties.ts';
import { isReasonCodeOf } from '../reason-codes.ts';
import type { ProtocolVersion } from '../version.ts';

export interface DisconnectPacket {
  /** 0 before MQTT 5.0. */
  reasonCode: number;
  properties: Properties;
}

/** Decodes a DISCONNECT of either direction in bytes[bodyStart, end). Throws a ProtocolError (0x81, 0x82). */
export function decodeDisconnect(
  bytes: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): DisconnectPacket {
  const reader = new ByteReader(bytes, bodyStart, end);
  let reasonCode = 0;
  let properties: Properties = {};
  // Without a body the reason is 0, with one byte there are no properties (MQTT 5.0, 3.14.2.1 and 3.14.2.2.1).
  if (version === 5 && reader.left > 0) {
    reasonCode = reader.byte();
    if (!isReasonCodeOf(PacketType.disconnect, reasonCode)) {
      throw protocolError(`DISCONNECT with reason code ${reasonCode}`, 'MQTT-3.14.2-1'); // [MQTT-3.14.2-1]
    }
    if (reader.left > 0) properties = readProperties(reader, 'disconnect');
  }
  reader.finish();
  return { reasonCode, properties };
}

/** Encodes a DISCONNECT, in the shortest form that says it all. */
export function encodeDisconnect(packet: DisconnectPacket, version: ProtocolVersion): Buffer {
  const hasProperties = version === 5 && propertiesSize(packet.properties) > 0;
  const hasReason = version === 5 && (packet.reasonCode !== 0 || hasProperties);
  const size = (hasReason ? 1 : 0) + (hasProperties ? prefixedPropertiesSize(packet.properties) : 0);
  const writer = new ByteWriter(PacketType.disconnect << 4, size);
  if (hasReason) writer.byte(packet.reasonCode);
  if (hasProperties) writeProperties(writer, packet.properties);
  return writer.finish();
}
