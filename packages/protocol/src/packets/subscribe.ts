import { ByteReader, ByteWriter, malformed, protocolError, stringSize } from '../bytes.ts';
import { PacketType } from '../packet-type.ts';
import { type Properties, prefixedPropertiesSize, readProperties, writeProperties } from '../properties.ts';
import { isShared } from '../topic.ts';
import type { ProtocolVersion } from '../version.ts';

/** Topic filter with its subscription options; before MQTT 5.0 there is only the QoS. */
export interface SubscriptionRequest {
  filter: string;
  qos: 0 | 1 | 2;
  noLocal: boolean;
  retainAsPublished: boolean;
  retainHandling: 0 | 1 | 2;
}

export interface SubscribePacket {
  packetId: number;
  /** 0 if there is none. It stands here and not in `properties`. */
  subscriptionIdentifier: number;
  properties: Properties;
  subscriptions: SubscriptionRequest[];
  /** Number of further filters, which `decodeSubscribe` passed over; absent: none. */
  leftOut?: number;
}

/** The bits of the subscription options (MQTT 5.0, figure 3-21). */
const option = { noLocal: 0x04, retainAsPublished: 0x08, reserved: 0xc0 } as const;
const retainHandlingShift = 4;

/**
 * Decodes a SUBSCRIBE in bytes[bodyStart, end). Filters are checked as strings that are not empty: `validateTopicFilter`
 * does the rest, so that a server can answer for each. Of those after the first `filtersMax` only the lengths and
 * options are checked, and nothing is made. Throws a ProtocolError (0x81, 0x82).
 */
export function decodeSubscribe(
  bytes: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
  filtersMax = Number.POSITIVE_INFINITY,
): SubscribePacket {
  const reader = new ByteReader(bytes, bodyStart, end);
  const packetId = reader.packetId(); // [MQTT-2.2.1-3]
  const properties = version === 5 ? readProperties(reader, 'subscribe') : {};
  const subscriptionIdentifier = properties.subscriptionIdentifier?.[0] ?? 0;
  delete properties.subscriptionIdentifier;
  if (reader.left === 0) {
    throw protocolError('SUBSCRIBE without a topic filter', version === 5 ? 'MQTT-3.8.3-2' : 'MQTT-3.8.3-3'); // [MQTT-3.8.3-2], 3.1.1 [MQTT-3.8.3-3]
  }
  const subscriptions: SubscriptionRequest[] = [];
  while (reader.left > 0 && subscriptions.length < filtersMax) {
    const filter = reader.topicFilter(); // [MQTT-3.8.3-1]
    const options = reader.byte();
    subscriptions.push(version === 5 ? decodeOptions(filter, options) : decodeQos(filter, options, version));
  }
  const packet: SubscribePacket = { packetId, subscriptionIdentifier, properties, subscriptions };
  if (reader.left > 0) packet.leftOut = skipSubscriptions(reader, version);
  return packet;
}

/** Returns how many there were. */
function skipSubscriptions(reader: ByteReader, version: ProtocolVersion): number {
  let count = 0;
  for (; reader.left > 0; count++) {
    reader.skipTopicFilter();
    const options = reader.byte();
    if (version === 5) checkOptions(options);
    else checkQos(options, version);
  }
  return count;
}

function checkOptions(options: number): void {
  if ((options & option.reserved) !== 0) throw malformed('a reserved subscription option is set', 'MQTT-3.8.3-5'); // [MQTT-3.8.3-5]
  if ((options & 3) === 3) throw protocolError('a subscription with QoS 3'); // MQTT 5.0, 3.8.3.1
  if (((options >> retainHandlingShift) & 3) === 3) throw protocolError('a subscription with retain handling 3'); // MQTT 5.0, 3.8.3.1
}

function checkQos(options: number, version: ProtocolVersion): number {
  const qos = version === 3 ? options & 3 : options; // MQTT 3.1 does not use the upper six bits.
  if (qos > 2) throw malformed('a subscription with a QoS other than 0, 1 and 2', 'MQTT-3.8.3-4'); // 3.1.1 [MQTT-3.8.3-4]
  return qos;
}

function decodeOptions(filter: string, options: number): SubscriptionRequest {
  checkOptions(options);
  const noLocal = (options & option.noLocal) !== 0;
  if (noLocal && isShared(filter)) {
    throw protocolError('a shared subscription with no local', 'MQTT-3.8.3-4'); // [MQTT-3.8.3-4]
  }
  return {
    filter,
    qos: (options & 3) as 0 | 1 | 2,
    noLocal,
    retainAsPublished: (options & option.retainAsPublished) !== 0,
    retainHandling: ((options >> retainHandlingShift) & 3) as 0 | 1 | 2,
  };
}

function decodeQos(filter: string, options: number, version: ProtocolVersion): SubscriptionRequest {
  const qos = checkQos(options, version);
  return { filter, qos: qos as 0 | 1 | 2, noLocal: false, retainAsPublished: false, retainHandling: 0 };
}

/** Encodes a SUBSCRIBE. */
export function encodeSubscribe(packet: SubscribePacket, version: ProtocolVersion): Buffer {
  const properties =
    packet.subscriptionIdentifier === 0
      ? packet.properties
      : { ...packet.properties, subscriptionIdentifier: [packet.subscriptionIdentifier] };
  let size = 2 + (version === 5 ? prefixedPropertiesSize(properties) : 0);
  for (const subscription of packet.subscriptions) size += stringSize(subscription.filter) + 1;
  const writer = new ByteWriter((PacketType.subscribe << 4) | 2, size); // [MQTT-3.8.1-1]
  writer.twoByteInteger(packet.packetId);
  if (version === 5) writeProperties(writer, properties);
  for (const subscription of packet.subscriptions) {
    writer.string(subscription.filter);
    writer.byte(version === 5 ? optionsOf(subscription) : subscription.qos);
  }
  return writer.finish();
}

function optionsOf(subscription: SubscriptionRequest): number {
  return (
    subscription.qos |
    (subscription.noLocal ? option.noLocal : 0) |
    (subscription.retainAsPublished ? option.retainAsPublished : 0) |
    (subscription.retainHandling << retainHandlingShift)
  );
}
