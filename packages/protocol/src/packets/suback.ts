import { ByteReader, ByteWriter, protocolError } from '../bytes.ts';
import { PacketType } from '../packet-type.ts';
import { type Properties, prefixedPropertiesSize, readProperties, writeProperties } from '../properties.ts';
import { isReasonCodeOf, ReasonCode } from '../reason-codes.ts';
import type { ProtocolVersion } from '../version.ts';

export interface SubackPacket {
  packetId: number;
  /** Reason codes, one for each topic filter of the SUBSCRIBE, in its order. */
  reasonCodes: number[];
  properties: Properties;
}

/** Decodes a SUBACK in bytes[bodyStart, end). Throws a ProtocolError (0x81, 0x82). */
export function decodeSuback(bytes: Buffer, bodyStart: number, end: number, version: ProtocolVersion): SubackPacket {
  const reader = new ByteReader(bytes, bodyStart, end);
  const packetId = reader.packetId();
  const properties = version === 5 ? readProperties(reader, 'suback') : {};
  if (reader.left === 0) throw protocolError('SUBACK without a reason code', 'MQTT-3.8.4-6'); // [MQTT-3.8.4-6], 3.1.1 [MQTT-3.8.4-5]
  const reasonCodes: number[] = [];
  while (reader.left > 0) {
    const reasonCode = reader.byte();
    const known = version === 5 ? isReasonCodeOf(PacketType.suback, reasonCode) : isReturnCode(reasonCode);
    if (!known) throw protocolError(`SUBACK with reason code ${reasonCode}`, 'MQTT-3.9.3-2'); // [MQTT-3.9.3-2]
    reasonCodes.push(reasonCode);
  }
  return { packetId, reasonCodes, properties };
}

/** The return codes of MQTT 3.1.1: the granted QoS or failure. */
function isReturnCode(code: number): boolean {
  return code <= 2 || code === ReasonCode.unspecifiedError;
}

/** Encodes a SUBACK. Before MQTT 5.0 every error is 0x80, the only one there (3.1.1 [MQTT-3.9.3-2]). */
export function encodeSuback(packet: SubackPacket, version: ProtocolVersion): Buffer {
  const size = 2 + (version === 5 ? prefixedPropertiesSize(packet.properties) : 0) + packet.reasonCodes.length;
  const writer = new ByteWriter(PacketType.suback << 4, size);
  writer.twoByteInteger(packet.packetId); // [MQTT-2.2.1-6]
  if (version === 5) writeProperties(writer, packet.properties);
  for (const reasonCode of packet.reasonCodes) {
    writer.byte(version === 5 || reasonCode <= 2 ? reasonCode : ReasonCode.unspecifiedError); // 3.1.1 [MQTT-3.9.3-2]
  }
  return writer.finish();
}
