import { ByteReader, ByteWriter, protocolError, stringSize } from '../bytes.ts';
import { PacketType } from '../packet-type.ts';
import { type Properties, prefixedPropertiesSize, readProperties, writeProperties } from '../properties.ts';
import type { ProtocolVersion } from '../version.ts';

export interface UnsubscribePacket {
  packetId: number;
  filters: string[];
  properties: Properties;
  /** Offset of further filters, which `decodeUnsubscribe` passed over, and their number; absent: none. */
  rest?: { at: number; count: number };
}

/**
 * Decodes an UNSUBSCRIBE in bytes[bodyStart, end). Filters are checked as strings that are not empty. Of those after the
 * first `filtersMax` only the lengths are checked: `decodeFilters` reads them. Throws a ProtocolError.
 */
export function decodeUnsubscribe(
  bytes: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
  filtersMax = Number.POSITIVE_INFINITY,
): UnsubscribePacket {
  const reader = new ByteReader(bytes, bodyStart, end);
  const packetId = reader.packetId(); // [MQTT-2.2.1-3]
  const properties = version === 5 ? readProperties(reader, 'unsubscribe') : {};
  if (reader.left === 0) throw protocolError('UNSUBSCRIBE without a topic filter', 'MQTT-3.10.3-2'); // [MQTT-3.10.3-2]
  const packet: UnsubscribePacket = { packetId, filters: takeFilters(reader, filtersMax), properties };
  if (reader.left > 0) {
    const rest = { at: end - reader.left, count: 0 };
    for (; reader.left > 0; rest.count++) reader.skipTopicFilter();
    packet.rest = rest;
  }
  return packet;
}

function takeFilters(reader: ByteReader, filtersMax: number): string[] {
  const filters: string[] = [];
  while (reader.left > 0 && filters.length < filtersMax) filters.push(reader.topicFilter()); // [MQTT-3.10.3-1]
  return filters;
}

/** Decodes the first filters of the list in bytes[start, end). Returns them, and the offset behind them. Throws a ProtocolError. */
export function decodeFilters(
  bytes: Buffer,
  start: number,
  end: number,
  filtersMax: number,
): { filters: string[]; at: number } {
  const reader = new ByteReader(bytes, start, end);
  const filters = takeFilters(reader, filtersMax);
  return { filters, at: end - reader.left };
}

/** Encodes an UNSUBSCRIBE. */
export function encodeUnsubscribe(packet: UnsubscribePacket, version: ProtocolVersion): Buffer {
  let size = 2 + (version === 5 ? prefixedPropertiesSize(packet.properties) : 0);
  for (const filter of packet.filters) size += stringSize(filter);
  const writer = new ByteWriter((PacketType.unsubscribe << 4) | 2, size); // [MQTT-3.10.1-1]
  writer.twoByteInteger(packet.packetId);
  if (version === 5) writeProperties(writer, packet.properties);
  for (const filter of packet.filters) writer.string(filter);
  return writer.finish();
}
