import { ByteReader, ByteWriter, malformed, protocolError } from '../bytes.ts';
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

export interface AuthPacket {
  reasonCode: number;
  properties: Properties;
}

/** Decodes an AUTH of either direction in bytes[bodyStart, end). Throws a ProtocolError (0x81, 0x82). */
export function decodeAuth(bytes: Buffer, bodyStart: number, end: number, version: ProtocolVersion): AuthPacket {
  if (version !== 5) throw malformed('AUTH does not exist before MQTT 5.0');
  const reader = new ByteReader(bytes, bodyStart, end);
  if (reader.left === 0) return { reasonCode: 0, properties: {} }; // MQTT 5.0, 3.15.2.1
  const reasonCode = reader.byte();
  if (!isReasonCodeOf(PacketType.auth, reasonCode)) {
    throw protocolError(`AUTH with reason code ${reasonCode}`, 'MQTT-3.15.2-1'); // [MQTT-3.15.2-1]
  }
  const properties = readProperties(reader, 'auth');
  reader.finish();
  return { reasonCode, properties };
}

/** Encodes an AUTH. Throws a ProtocolError before MQTT 5.0, which has none. */
export function encodeAuth(packet: AuthPacket, version: ProtocolVersion): Buffer {
  if (version !== 5) throw malformed('AUTH does not exist before MQTT 5.0');
  const empty = packet.reasonCode === 0 && propertiesSize(packet.properties) === 0;
  const writer = new ByteWriter(PacketType.auth << 4, empty ? 0 : 1 + prefixedPropertiesSize(packet.properties));
  if (!empty) {
    writer.byte(packet.reasonCode); // [MQTT-3.15.2-1]
    writeProperties(writer, packet.properties);
  }
  return writer.finish();
}
