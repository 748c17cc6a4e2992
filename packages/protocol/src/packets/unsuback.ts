import { ByteReader, ByteWriter, protocolError } from '../bytes.ts';
import { PacketType } from '../packet-type.ts';
import { type Properties, prefixedPropertiesSize, readProperties, writeProperties } from '../properties.ts';
import { isReasonCodeOf } from '../reason-codes.ts';
import type { ProtocolVersion } from '../version.ts';

export interface UnsubackPacket {
  packetId: number;
  /** Reason codes, one for each topic filter of the UNSUBSCRIBE, in its order; empty before MQTT 5.0. */
  reasonCodes: number[];
  properties: Properties;
}

/** Decodes an UNSUBACK in bytes[bodyStart, end). Throws a ProtocolError (0x81, 0x82). */
export function decodeUnsuback(
  bytes: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): UnsubackPacket {
  const reader = new ByteReader(bytes, bodyStart, end);
  const packetId = reader.packetId();
  const reasonCodes: number[] = [];
  if (version !== 5) {
    reader.finish(); // 3.1.1, 3.11.3: UNSUBACK has no payload.
    return { packetId, reasonCodes, properties: {} };
  }
  const properties = readProperties(reader, 'unsuback');
  if (reader.left === 0) throw protocolError('UNSUBACK without a reason code', 'MQTT-3.11.3-2'); // [MQTT-3.11.3-2]
  while (reader.left > 0) {
    const reasonCode = reader.byte();
    if (!isReasonCodeOf(PacketType.unsuback, reasonCode)) {
      throw protocolError(`UNSUBACK with reason code ${reasonCode}`, 'MQTT-3.11.3-2'); // [MQTT-3.11.3-2]
    }
    reasonCodes.push(reasonCode);
  }
  return { packetId, reasonCodes, properties };
}

/** Encodes an UNSUBACK; before MQTT 5.0 it is the packet identifier alone. */
export function encodeUnsuback(packet: UnsubackPacket, version: ProtocolVersion): Buffer {
  const size = 2 + (version === 5 ? prefixedPropertiesSize(packet.properties) + packet.reasonCodes.length : 0);
  const writer = new ByteWriter(PacketType.unsuback << 4, size);
  writer.twoByteInteger(packet.packetId); // [MQTT-2.2.1-6]
  if (version === 5) {
    writeProperties(writer, packet.properties);
    for (const reasonCode of packet.reasonCodes) writer.byte(reasonCode);
  }
  return writer.finish();
}
