import {
  ByteReader,
  type ByteWriter,
  binarySize,
  malformed,
  protocolError,
  stringSize,
  variableByteIntegerSize,
} from './bytes.ts';
import { type PacketName, PacketType } from './packet-type.ts';
import { ProtocolError } from './protocol-error.ts';
import { ReasonCode } from './reason-codes.ts';

/** The properties of MQTT 5.0 by name; an absent one is undefined. Times are in seconds, sizes in bytes. */
export interface Properties {
  payloadFormatIndicator?: number;
  messageExpiryInterval?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Buffer;
  subscriptionIdentifier?: number[];
  sessionExpiryInterval?: number;
  assignedClientIdentifier?: string;
  serverKeepAlive?: number;
  authenticationMethod?: string;
  authenticationData?: Buffer;
  requestProblemInformation?: number;
  willDelayInterval?: number;
  requestResponseInformation?: number;
  responseInformation?: string;
  serverReference?: string;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumQos?: number;
  retainAvailable?: number;
  userProperties?: [string, string][];
  maximumPacketSize?: number;
  wildcardSubscriptionAvailable?: number;
  subscriptionIdentifiersAvailable?: number;
  sharedSubscriptionAvailable?: number;
}

/** Holder of properties: a packet, or the will inside CONNECT. */
export type PropertyHolder = PacketName | 'will';

/** The wire types of properties (MQTT 5.0, 1.5). */
export type PropertyType =
  | 'byte'
  | 'twoByteInteger'
  | 'fourByteInteger'
  | 'variableByteInteger'
  | 'string'
  | 'binary'
  | 'stringPair';

/**
 * Property. `lowest` and `highest` bound a number's value where the text does; what lies outside is refused with
 * `refusal`, 0x82 unless the text names another. `repeatable` lists the holders where it may stand more than once.
 */
export interface PropertyEntry {
  readonly id: number;
  readonly name: keyof Properties;
  readonly type: PropertyType;
  readonly holders: readonly PropertyHolder[];
  readonly repeatable?: readonly PropertyHolder[];
  readonly lowest?: number;
  readonly highest?: number;
  readonly refusal?: number;
  readonly statement?: string;
}

const explained: readonly PropertyHolder[] = [
  'connack',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'suback',
  'unsuback',
  'disconnect',
  'auth',
];
const everywhere: readonly PropertyHolder[] = [...explained, 'connect', 'will', 'publish', 'subscribe', 'unsubscribe'];

/** Every property of MQTT 5.0 in order of identifier (table 2-4). */
export const propertyTable: readonly PropertyEntry[] = [
  { id: 0x01, name: 'payloadFormatIndicator', type: 'byte', holders: ['publish', 'will'], highest: 1 },
  { id: 0x02, name: 'messageExpiryInterval', type: 'fourByteInteger', holders: ['publish', 'will'] },
  { id: 0x03, name: 'contentType', type: 'string', holders: ['publish', 'will'], statement: 'MQTT-3.3.2-19' },
  { id: 0x08, name: 'responseTopic', type: 'string', holders: ['publish', 'will'], statement: 'MQTT-3.3.2-13' },
  { id: 0x09, name: 'correlationData', type: 'binary', holders: ['publish', 'will'] },
  {
    id: 0x0b,
    name: 'subscriptionIdentifier',
    type: 'variableByteInteger',
    holders: ['publish', 'subscribe'],
    repeatable: ['publish'],
    lowest: 1,
  },
  { id: 0x11, name: 'sessionExpiryInterval', type: 'fourByteInteger', holders: ['connect', 'connack', 'disconnect'] },
  { id: 0x12, name: 'assignedClientIdentifier', type: 'string', holders: ['connack'] },
  { id: 0x13, name: 'serverKeepAlive', type: 'twoByteInteger', holders: ['connack'] },
  { id: 0x15, name: 'authenticationMethod', type: 'string', holders: ['connect', 'connack', 'auth'] },
  { id: 0x16, name: 'authenticationData', type: 'binary', holders: ['connect', 'connack', 'auth'] },
  { id: 0x17, name: 'requestProblemInformation', type: 'byte', holders: ['connect'], highest: 1 },
  { id: 0x18, name: 'willDelayInterval', type: 'fourByteInteger', holders: ['will'] },
  { id: 0x19, name: 'requestResponseInformation', type: 'byte', holders: ['connect'], highest: 1 },
  { id: 0x1a, name: 'responseInformation', type: 'string', holders: ['connack'] },
  { id: 0x1c, name: 'serverReference', type: 'string', holders: ['connack', 'disconnect'] },
  { id: 0x1f, name: 'reasonString', type: 'string', holders: explained },
  { id: 0x21, name: 'receiveMaximum', type: 'twoByteInteger', holders: ['connect', 'connack'], lowest: 1 },
  { id: 0x22, name: 'topicAliasMaximum', type: 'twoByteInteger', holders: ['connect', 'connack'] },
  {
    id: 0x23,
    name: 'topicAlias',
    type: 'twoByteInteger',
    holders: ['publish'],
    lowest: 1,
    refusal: ReasonCode.topicAliasInvalid,
    statement: 'MQTT-3.3.2-8',
  },
  { id: 0x24, name: 'maximumQos', type: 'byte', holders: ['connack'], highest: 1 },
  { id: 0x25, name: 'retainAvailable', type: 'byte', holders: ['connack'], highest: 1 },
  { id: 0x26, name: 'userProperties', type: 'stringPair', holders: everywhere, repeatable: everywhere },
  { id: 0x27, name: 'maximumPacketSize', type: 'fourByteInteger', holders: ['connect', 'connack'], lowest: 1 },
  { id: 0x28, name: 'wildcardSubscriptionAvailable', type: 'byte', holders: ['connack'], highest: 1 },
  { id: 0x29, name: 'subscriptionIdentifiersAvailable', type: 'byte', holders: ['connack'], highest: 1 },
  { id: 0x2a, name: 'sharedSubscriptionAvailable', type: 'byte', holders: ['connack'], highest: 1 },
];

const entryById: (PropertyEntry | undefined)[] = new Array(0x2b).fill(undefined);
for (const entry of propertyTable) entryById[entry.id] = entry;

// One bit per packet type, and bit 0 for the will, in which type 0 leaves room.
function holderBit(holder: PropertyHolder): number {
  return holder === 'will' ? 1 : 1 << PacketType[holder];
}

function holderBits(holders: readonly PropertyHolder[]): number {
  return holders.reduce((bits, holder) => bits | holderBit(holder), 0);
}

const holdersById = entryById.map((entry) => (entry === undefined ? 0 : holderBits(entry.holders)));
const repeatableById = entryById.map((entry) => (entry === undefined ? 0 : holderBits(entry.repeatable ?? [])));

/**
 * User properties of a packet other than PUBLISH, whose properties are passed on as bytes: each becomes three objects,
 * of five bytes at the least.
 */
export const userPropertiesMax = 64;

/**
 * Decodes bytes[start, end), the properties of a packet without their length prefix.
 *
 * Throws a ProtocolError: 0x81 for an unknown identifier, one that the holder may not carry (MQTT 5.0, 2.2.2.2) and
 * fields that do not fit; 0x82 for a property that stands twice or a value out of range; 0x94 for topic alias 0; 0x97
 * for too many user properties.
 */
export function decodeProperties(bytes: Buffer, start: number, end: number, packetName: PropertyHolder): Properties {
  const reader = new ByteReader(bytes, start, end);
  const properties: Properties = {};
  const bit = holderBit(packetName);
  while (reader.at < end) {
    const entry = readPropertyEntry(reader, bit, packetName);
    readProperty(reader, entry, properties, (repeatableById[entry.id] & bit) !== 0);
    const count = properties.userProperties?.length ?? 0;
    if (count > userPropertiesMax && packetName !== 'publish') {
      const message = `over ${userPropertiesMax} user properties in one ${packetName}`;
      throw new ProtocolError(ReasonCode.quotaExceeded, message);
    }
  }
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw protocolError('authentication data without an authentication method'); // MQTT 5.0, 3.1.2.11.10
  }
  return properties;
}

/** Reads a length prefix and the properties it covers. */
export function readProperties(reader: ByteReader, packetName: PropertyHolder): Properties {
  const length = reader.variableByteInteger();
  const start = reader.take(length);
  return decodeProperties(reader.bytes, start, start + length, packetName);
}

/** Reads a property identifier and finds its entry. */
function readPropertyEntry(reader: ByteReader, bit: number, packetName: PropertyHolder): PropertyEntry {
  const id = reader.variableByteInteger();
  const entry = entryById[id];
  // An identifier that is not valid for its packet type makes the packet malformed (MQTT 5.0, 2.2.2.2).
  if (entry === undefined || (holdersById[id] & bit) === 0) {
    throw malformed(`${packetName} may not carry property ${id}`);
  }
  return entry;
}

function readProperty(reader: ByteReader, entry: PropertyEntry, into: Properties, repeatable: boolean): void {
  const values = into as Record<string, unknown>;
  const before = values[entry.name];
  if (before !== undefined && !repeatable) throw protocolError(`property ${entry.name} stands twice`);
  const value = readValue(reader, entry);
  if (entry.name === 'subscriptionIdentifier' || entry.name === 'userProperties') {
    if (before === undefined) values[entry.name] = [value];
    else (before as unknown[]).push(value); // The order of user properties is kept [MQTT-3.3.2-18].
  } else {
    values[entry.name] = value;
  }
}

/** Reads the value of a property and checks its range. */
function readValue(reader: ByteReader, entry: PropertyEntry): number | string | Buffer | [string, string] {
  switch (entry.type) {
    case 'byte':
      return requireInRange(entry, reader.byte());
    case 'twoByteInteger':
      return requireInRange(entry, reader.twoByteInteger());
    case 'fourByteInteger':
      return requireInRange(entry, reader.fourByteInteger());
    case 'variableByteInteger':
      return requireInRange(entry, reader.variableByteInteger());
    case 'string':
      return reader.string(); // [MQTT-3.3.2-13] [MQTT-3.3.2-19]
    case 'binary':
      return reader.binary();
    case 'stringPair':
      return [reader.string(), reader.string()]; // [MQTT-1.5.7-1]
  }
}

function requireInRange(entry: PropertyEntry, value: number): number {
  if (value < (entry.lowest ?? 0) || value > (entry.highest ?? 0xffff_ffff)) {
    const refusal = entry.refusal ?? ReasonCode.protocolError;
    throw new ProtocolError(refusal, `property ${entry.name} may not be ${value}`, entry.statement);
  }
  return value;
}

/** The encoded size of properties, without the length prefix; undefined and null are no properties. */
export function propertiesSize(properties: Properties | null | undefined): number {
  if (properties === null || properties === undefined) return 0;
  let size = 0;
  for (const entry of propertyTable) {
    const value = properties[entry.name];
    if (value !== undefined) size += valueSize(entry, value);
  }
  return size;
}

/** The encoded size of properties with their length prefix. */
export function prefixedPropertiesSize(properties: Properties | null | undefined): number {
  const size = propertiesSize(properties);
  return variableByteIntegerSize(size) + size;
}

function valueSize(entry: PropertyEntry, value: NonNullable<Properties[keyof Properties]>): number {
  // Every identifier fits one byte, hence the 1 in each of these.
  switch (entry.type) {
    case 'byte':
      return 1 + 1;
    case 'twoByteInteger':
      return 1 + 2;
    case 'fourByteInteger':
      return 1 + 4;
    case 'variableByteInteger':
      return (value as number[]).reduce((size, number) => size + 1 + variableByteIntegerSize(number), 0);
    case 'string':
      return 1 + stringSize(value as string);
    case 'binary':
      return 1 + binarySize(value as Buffer);
    case 'stringPair':
      return (value as [string, string][]).reduce(
        (sum, pair) => sum + 1 + stringSize(pair[0]) + stringSize(pair[1]),
        0,
      );
  }
}

/** Writes properties with their length prefix; no properties are a length of 0 [MQTT-2.2.2-1]. */
export function writeProperties(writer: ByteWriter, properties: Properties | null | undefined): void {
  writer.variableByteInteger(propertiesSize(properties)); // [MQTT-2.2.2-1]
  if (properties === null || properties === undefined) return;
  for (const entry of propertyTable) {
    const value = properties[entry.name];
    if (value !== undefined) writeValue(writer, entry, value);
  }
}

function writeValue(writer: ByteWriter, entry: PropertyEntry, value: NonNullable<Properties[keyof Properties]>): void {
  if (entry.type === 'stringPair') {
    for (const pair of value as [string, string][]) {
      writer.byte(entry.id);
      writer.string(pair[0]);
      writer.string(pair[1]);
    }
    return;
  }
  if (entry.type === 'variableByteInteger') {
    for (const number of value as number[]) {
      writer.byte(entry.id);
      writer.variableByteInteger(number);
    }
    return;
  }
  writer.byte(entry.id);
  if (entry.type === 'string') writer.string(value as string);
  else if (entry.type === 'binary') writer.binary(value as Buffer);
  else writer[entry.type](value as number);
}
