import {
  ByteReader,
  ByteWriter,
  copyBytes,
  decodeString,
  emptyBuffer,
  malformed,
  protocolError,
  requireUtf8,
  stringSize,
} from '../bytes.ts';
import { checkHeader } from '../fixed-header.ts';
import { PacketType } from '../packet-type.ts';
import { decodeProperties, type Properties, prefixedPropertiesSize, writeProperties } from '../properties.ts';
import { ProtocolError } from '../protocol-error.ts';
import { ReasonCode } from '../reason-codes.ts';
import { topicLevelsMax } from '../topic.ts';
import type { ProtocolVersion } from '../version.ts';

/** The fields of one PUBLISH as offsets into the bytes it came in. One view serves a connection's every packet. */
export class PublishView {
  header: number;
  qos: 0 | 1 | 2;
  dup: boolean;
  retain: boolean;
  topicStart: number;
  topicEnd: number;
  /** 0 for QoS 0. */
  packetId: number;
  /** The properties without their length prefix; start and end are equal when there are none. */
  propertiesStart: number;
  propertiesEnd: number;
  payloadStart: number;
  /** The end of the payload and of the packet. */
  end: number;

  constructor() {
    this.header = 0;
    this.qos = 0;
    this.dup = false;
    this.retain = false;
    this.topicStart = 0;
    this.topicEnd = 0;
    this.packetId = 0;
    this.propertiesStart = 0;
    this.propertiesEnd = 0;
    this.payloadStart = 0;
    this.end = 0;
  }
}

/**
 * Finds the fields of the PUBLISH in bytes[bodyStart, end). HOT: no allocation.
 *
 * The header's flags have been checked by the decoder. The topic's text and the properties are not looked at: that is
 * `validateTopicName`, for a topic not seen before, and `decodePublishProperties`, when there are any. Throws a
 * ProtocolError: 0x81 for fields that do not fit, 0x82 for packet identifier 0.
 */
export function readPublish(
  view: PublishView,
  header: number,
  bytes: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): void {
  const qos = ((header >> 1) & 3) as 0 | 1 | 2;
  view.header = header;
  view.qos = qos;
  view.dup = (header & 8) !== 0;
  view.retain = (header & 1) !== 0;
  const topicStart = bodyStart + 2; // [MQTT-3.3.2-1]: the topic name comes first.
  if (topicStart > end) throw cutShort();
  let at = topicStart + ((bytes[bodyStart] << 8) | bytes[bodyStart + 1]);
  if (at > end) throw cutShort();
  view.topicStart = topicStart;
  view.topicEnd = at;
  view.packetId = 0; // [MQTT-2.2.1-2]: QoS 0 has none; 3.1.1 [MQTT-2.3.1-5].
  if (qos !== 0) {
    if (at + 2 > end) throw cutShort();
    const packetId = (bytes[at] << 8) | bytes[at + 1];
    if (packetId === 0) throw protocolError('PUBLISH with packet identifier 0', 'MQTT-2.2.1-3'); // [MQTT-2.2.1-3] [MQTT-2.2.1-4]
    view.packetId = packetId;
    at += 2;
  }
  if (version !== 5) {
    view.propertiesStart = at;
    view.propertiesEnd = at;
  } else if (at < end && bytes[at] < 0x80) {
    view.propertiesStart = at + 1;
    at += 1 + bytes[at];
    if (at > end) throw cutShort();
    view.propertiesEnd = at;
  } else {
    at = readLongProperties(view, bytes, at, end);
  }
  view.payloadStart = at;
  view.end = end;
}

/** The property length has more than one byte, or is missing. */
function readLongProperties(view: PublishView, bytes: Buffer, at: number, end: number): number {
  const reader = new ByteReader(bytes, at, end);
  const length = reader.variableByteInteger();
  view.propertiesStart = reader.take(length);
  view.propertiesEnd = reader.at;
  return reader.at;
}

function cutShort(): ProtocolError {
  return malformed('PUBLISH ends inside a field');
}

/**
 * Throws unless bytes[start, end) is a topic name: 0x81 for bad UTF-8 and U+0000, 0x90 for an empty name (a PUBLISH
 * with a topic alias may have one: its caller asks not), wildcards and too many levels.
 */
export function validateTopicName(bytes: Buffer, start: number, end: number, levelsMax: number = topicLevelsMax): void {
  if (start === end) throw badTopic('an empty topic name', 'MQTT-4.7.3-1'); // [MQTT-4.7.3-1]
  requireUtf8(bytes, start, end); // [MQTT-3.3.2-1] [MQTT-4.7.3-2]
  let levels = 1;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === 0x2f) levels++;
    else if (byte === 0x23 || byte === 0x2b) throw badTopic('a topic name with a wildcard', 'MQTT-3.3.2-2'); // [MQTT-3.3.2-2]
  }
  if (levels > levelsMax) throw badTopic(`a topic name with over ${levelsMax} levels`, '');
}

function badTopic(message: string, statement: string): ProtocolError {
  return new ProtocolError(ReasonCode.topicNameInvalid, message, statement);
}

/** Checks a response topic kept as a string, of a PUBLISH or of a will. */
export function requireResponseTopic(topic: string): void {
  if (topic === '') throw protocolError('a response topic is empty', 'MQTT-4.7.3-1'); // [MQTT-4.7.3-1]
  if (topic.includes('#') || topic.includes('+')) {
    throw protocolError('a response topic with a wildcard', 'MQTT-3.3.2-14'); // [MQTT-3.3.2-14]
  }
}

/** PUBLISH properties of a client that a server has to know, and the bytes it passes on. */
export class PublishProperties {
  /** -1 if absent. */
  payloadFormatIndicator: number;
  /** Seconds; -1 if absent. */
  messageExpiryInterval: number;
  /** 0 if absent. */
  topicAlias: number;
  /**
   * The encoded properties that a server passes on unaltered and in order, without a length prefix: payload format
   * indicator, content type, response topic, correlation data, user properties. A copy, safe to keep.
   */
  forwarded: Buffer;

  constructor() {
    this.payloadFormatIndicator = -1;
    this.messageExpiryInterval = -1;
    this.topicAlias = 0;
    this.forwarded = emptyBuffer;
  }

  /** The forwarded properties, decoded anew at each call: for those who look inside, such as tracing. */
  decodeForwarded(): Properties {
    return decodeProperties(this.forwarded, 0, this.forwarded.length, 'publish');
  }

  get contentType(): string | undefined {
    return this.decodeForwarded().contentType;
  }

  get responseTopic(): string | undefined {
    return this.decodeForwarded().responseTopic;
  }

  get correlationData(): Buffer | undefined {
    return this.decodeForwarded().correlationData;
  }

  get userProperties(): [string, string][] | undefined {
    return this.decodeForwarded().userProperties;
  }
}

/** Property identifiers of PUBLISH (MQTT 5.0, table 2-4). */
const id = {
  payloadFormatIndicator: 0x01,
  messageExpiryInterval: 0x02,
  contentType: 0x03,
  responseTopic: 0x08,
  correlationData: 0x09,
  subscriptionIdentifier: 0x0b,
  topicAlias: 0x23,
  userProperty: 0x26,
} as const;

/**
 * Checks bytes[start, end), the properties of a client's PUBLISH without their length prefix, and sorts out what is
 * passed on. Strings are checked and not decoded. Throws a ProtocolError: 0x81, 0x82, 0x90 for wildcards in the
 * response topic, 0x94 for topic alias 0.
 */
export function decodePublishProperties(bytes: Buffer, start: number, end: number): PublishProperties {
  const found = new PublishProperties();
  const reader = new ByteReader(bytes, start, end);
  let seen = 0;
  let droppedBytes = 0;
  while (reader.at < end) {
    const from = reader.at;
    const property = reader.variableByteInteger();
    if (property !== id.userProperty && property < 31) {
      if ((seen & (1 << property)) !== 0) throw protocolError(`property ${property} stands twice in PUBLISH`);
      seen |= 1 << property;
    }
    readPublishProperty(reader, property, found);
    if (property === id.messageExpiryInterval || property === id.topicAlias) droppedBytes += reader.at - from;
  }
  found.forwarded = droppedBytes === 0 ? copyBytes(bytes, start, end) : copyForwarded(bytes, start, end, droppedBytes);
  return found;
}

function readPublishProperty(reader: ByteReader, property: number, found: PublishProperties): void {
  switch (property) {
    case id.payloadFormatIndicator:
      found.payloadFormatIndicator = reader.byte();
      if (found.payloadFormatIndicator > 1) throw protocolError('a payload format indicator that is neither 0 nor 1');
      return;
    case id.messageExpiryInterval:
      found.messageExpiryInterval = reader.fourByteInteger();
      return;
    case id.contentType:
      skipString(reader); // [MQTT-3.3.2-19]
      return;
    case id.responseTopic:
      skipResponseTopic(reader);
      return;
    case id.correlationData:
      reader.take(reader.twoByteInteger());
      return;
    case id.topicAlias:
      if (found.topicAlias !== 0) throw protocolError('property 35 stands twice in PUBLISH');
      found.topicAlias = reader.twoByteInteger();
      if (found.topicAlias === 0) {
        throw new ProtocolError(ReasonCode.topicAliasInvalid, 'topic alias 0', 'MQTT-3.3.2-8'); // [MQTT-3.3.2-8]
      }
      return;
    case id.userProperty:
      skipString(reader); // [MQTT-1.5.7-1]
      skipString(reader);
      return;
    case id.subscriptionIdentifier:
      throw protocolError('a subscription identifier in a PUBLISH from a client', 'MQTT-3.3.4-6'); // [MQTT-3.3.4-6]
    default:
      throw malformed(`publish may not carry property ${property}`); // MQTT 5.0, 2.2.2.2
  }
}

function skipString(reader: ByteReader): void {
  const length = reader.twoByteInteger();
  const start = reader.take(length);
  requireUtf8(reader.bytes, start, start + length);
}

function skipResponseTopic(reader: ByteReader): void {
  const length = reader.twoByteInteger();
  const start = reader.take(length);
  requireUtf8(reader.bytes, start, start + length); // [MQTT-3.3.2-13]
  if (length === 0) throw protocolError('a response topic is empty', 'MQTT-4.7.3-1'); // [MQTT-4.7.3-1]
  for (let at = start; at < start + length; at++) {
    const byte = reader.bytes[at];
    if (byte === 0x23 || byte === 0x2b) {
      throw protocolError('a response topic with a wildcard', 'MQTT-3.3.2-14'); // [MQTT-3.3.2-14]
    }
  }
}

/** Copies checked properties without topic alias and message expiry interval, in their order [MQTT-3.3.2-18]. */
function copyForwarded(bytes: Buffer, start: number, end: number, droppedBytes: number): Buffer {
  if (end - start === droppedBytes) return emptyBuffer;
  const forwarded = Buffer.allocUnsafe(end - start - droppedBytes);
  const reader = new ByteReader(bytes, start, end);
  const ignored = new PublishProperties();
  let to = 0;
  while (reader.at < end) {
    const from = reader.at;
    const property = reader.variableByteInteger();
    ignored.topicAlias = 0;
    readPublishProperty(reader, property, ignored);
    if (property === id.messageExpiryInterval || property === id.topicAlias) continue;
    // [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-20]: unaltered, byte for byte.
    to += bytes.copy(forwarded, to, from, reader.at);
  }
  return forwarded;
}

/** A PUBLISH as an object: for tests, clients and tools. */
export interface PublishPacket {
  type: 'publish';
  dup: boolean;
  qos: 0 | 1 | 2;
  retain: boolean;
  topic: string;
  /** 0 for QoS 0. */
  packetId: number;
  properties: Properties;
  payload: Buffer;
}

/**
 * Decodes a PUBLISH of either direction in bytes[bodyStart, end), checking everything. The topic may be empty where a
 * topic alias stands for it. Throws a ProtocolError.
 */
export function decodePublish(
  header: number,
  bytes: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): PublishPacket {
  checkHeader(header, version);
  const view = new PublishView();
  readPublish(view, header, bytes, bodyStart, end, version);
  const properties = decodeProperties(bytes, view.propertiesStart, view.propertiesEnd, 'publish');
  if (properties.responseTopic !== undefined) {
    requireResponseTopic(properties.responseTopic);
  }
  const aliased = view.topicStart === view.topicEnd && properties.topicAlias !== undefined;
  if (!aliased) validateTopicName(bytes, view.topicStart, view.topicEnd);
  return {
    type: 'publish',
    dup: view.dup,
    qos: view.qos,
    retain: view.retain,
    topic: decodeString(bytes, view.topicStart, view.topicEnd),
    packetId: view.packetId,
    properties,
    payload: copyBytes(bytes, view.payloadStart, end),
  };
}

/** Encodes a PUBLISH. Properties are left out before MQTT 5.0, DUP and the packet identifier for QoS 0. */
export function encodePublish(packet: PublishPacket, version: ProtocolVersion): Buffer {
  const acknowledged = packet.qos > 0;
  const dup = packet.dup && acknowledged ? 8 : 0; // [MQTT-3.3.1-2]
  const header = (PacketType.publish << 4) | dup | (packet.qos << 1) | (packet.retain ? 1 : 0);
  let size = stringSize(packet.topic) + packet.payload.length;
  if (acknowledged) size += 2;
  if (version === 5) size += prefixedPropertiesSize(packet.properties);
  const writer = new ByteWriter(header, size);
  writer.string(packet.topic);
  if (acknowledged) writer.twoByteInteger(packet.packetId); // [MQTT-2.2.1-2]
  if (version === 5) writeProperties(writer, packet.properties);
  writer.raw(packet.payload);
  return writer.finish();
}
