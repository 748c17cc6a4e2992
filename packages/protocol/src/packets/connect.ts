import { ByteReader, ByteWriter, binarySize, malformed, stringSize } from '../bytes.ts';
import { PacketType } from '../packet-type.ts';
import { type Properties, prefixedPropertiesSize, readProperties, writeProperties } from '../properties.ts';
import { ProtocolError } from '../protocol-error.ts';
import { ReasonCode } from '../reason-codes.ts';
import { validateTopic } from '../topic.ts';
import type { ProtocolVersion } from '../version.ts';
import { requireResponseTopic } from './publish.ts';

/** The message a server publishes when the client is gone. */
export interface Will {
  topic: string;
  payload: Buffer;
  qos: 0 | 1 | 2;
  retain: boolean;
  properties: Properties;
}

export interface ConnectPacket {
  version: ProtocolVersion;
  /** A broker's bridge, before MQTT 5.0: it wants what No Local and Retain As Published stand for since. Bit 7 of the level says so. */
  isBridge?: boolean;
  /** Clean session before MQTT 5.0. */
  cleanStart: boolean;
  keepAliveSeconds: number;
  /** Empty if the client leaves the choice to the server. */
  clientId: string;
  will: Will | null;
  userName: string | null;
  password: Buffer | null;
  properties: Properties;
}

/** The bits of the connect flags (MQTT 5.0, figure 3-4). */
const flag = {
  reserved: 0x01,
  cleanStart: 0x02,
  will: 0x04,
  willRetain: 0x20,
  password: 0x40,
  userName: 0x80,
} as const;
const willQosShift = 3;
/** No text of the specification has it: what Mosquitto's bridges begin with, and other brokers take. */
const bridgeBit = 0x80;

/** The protocol name that goes with a level. */
function protocolNameOf(version: ProtocolVersion): string {
  return version === 3 ? 'MQIsdp' : 'MQTT';
}

function unsupported(message: string, statement: string): ProtocolError {
  return new ProtocolError(ReasonCode.unsupportedProtocolVersion, message, statement);
}

/**
 * Decodes a CONNECT of any version in bytes[bodyStart, end).
 *
 * Throws a ProtocolError: 0x84 for a protocol name or level that is not spoken here, 0x85 for a client identifier that
 * its version forbids, 0x90 for a will topic that is no topic name, 0x81 and 0x82 for the rest.
 */
export function decodeConnect(bytes: Buffer, bodyStart: number, end: number): ConnectPacket {
  const reader = new ByteReader(bytes, bodyStart, end);
  const version = readVersion(reader);
  const isBridge = (bytes[reader.at - 1] & bridgeBit) !== 0;
  const flags = reader.byte();
  checkFlags(flags, version);
  const keepAliveSeconds = reader.twoByteInteger();
  const properties = version === 5 ? readProperties(reader, 'connect') : {};
  // The fields of the payload stand in this order [MQTT-3.1.3-1].
  const clientId = reader.string(); // [MQTT-3.1.3-3] [MQTT-3.1.3-4]
  const cleanStart = (flags & flag.cleanStart) !== 0;
  checkClientId(clientId, cleanStart, version);
  const will = (flags & flag.will) !== 0 ? readWill(reader, flags, version) : null; // [MQTT-3.1.2-9]
  const userName = isPresent(reader, flags, flag.userName, version) ? reader.string() : null; // [MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.3-12]
  const password = isPresent(reader, flags, flag.password, version) ? reader.binary() : null; // [MQTT-3.1.2-18] [MQTT-3.1.2-19]
  reader.finish();
  const packet: ConnectPacket = {
    version,
    cleanStart,
    keepAliveSeconds,
    clientId,
    will,
    userName,
    password,
    properties,
  };
  if (isBridge) packet.isBridge = true;
  return packet;
}

/**
 * The version that a CONNECT claims, even if the rest of it is wrong, so that an error can be answered in the right
 * dialect. 0 if the name and level are none of ours or are not there.
 */
export function peekConnectVersion(bytes: Buffer, bodyStart: number, end: number): ProtocolVersion | 0 {
  try {
    return readVersion(new ByteReader(bytes, bodyStart, end));
  } catch (error) {
    if (error instanceof ProtocolError) return 0;
    throw error;
  }
}

function readVersion(reader: ByteReader): ProtocolVersion {
  const name = reader.string();
  if (name !== 'MQTT' && name !== 'MQIsdp') throw unsupported('the protocol name is not MQTT', 'MQTT-3.1.2-1'); // [MQTT-3.1.2-1]
  const level = reader.byte();
  if (name === 'MQIsdp' && (level & ~bridgeBit) === 3) return 3;
  if (name === 'MQTT' && (level & ~bridgeBit) === 4) return 4;
  if (name === 'MQTT' && level === 5) return 5;
  throw unsupported(`protocol ${name} has no level ${level} here`, 'MQTT-3.1.2-2'); // [MQTT-3.1.2-2]
}

function checkFlags(flags: number, version: ProtocolVersion): void {
  const willQos = (flags >> willQosShift) & 3;
  if ((flags & flag.will) !== 0 && willQos === 3) {
    throw malformed('a will with QoS 3', version === 5 ? 'MQTT-3.1.2-12' : 'MQTT-3.1.2-14'); // [MQTT-3.1.2-12], 3.1.1 [MQTT-3.1.2-14]
  }
  if (version === 3) return; // MQTT 3.1 leaves the reserved bit, and the will's bits without a will, unused.
  if ((flags & flag.reserved) !== 0) throw malformed('the reserved connect flag is set', 'MQTT-3.1.2-3'); // [MQTT-3.1.2-3]
  if ((flags & flag.will) === 0) {
    if (willQos !== 0) {
      throw malformed('a will QoS without a will', version === 5 ? 'MQTT-3.1.2-11' : 'MQTT-3.1.2-13'); // [MQTT-3.1.2-11], 3.1.1 [MQTT-3.1.2-13]
    }
    if ((flags & flag.willRetain) !== 0) {
      throw malformed('a will retain without a will', version === 5 ? 'MQTT-3.1.2-13' : 'MQTT-3.1.2-15'); // [MQTT-3.1.2-13], 3.1.1 [MQTT-3.1.2-15]
    }
  }
  if (version === 4 && (flags & flag.password) !== 0 && (flags & flag.userName) === 0) {
    throw malformed('a password without a user name', 'MQTT-3.1.2-22'); // 3.1.1 [MQTT-3.1.2-22]; MQTT 5.0 allows it.
  }
}

/**
 * Checks a client identifier: before MQTT 5.0 a client may only leave its choice to the server if it wants no session
 * kept.
 */
function checkClientId(clientId: string, cleanSession: boolean, version: ProtocolVersion): void {
  if (clientId !== '' || version === 5 || (version === 4 && cleanSession)) return;
  throw new ProtocolError(
    ReasonCode.clientIdentifierNotValid, // 3.1.1 [MQTT-3.1.3-8]; MQTT 3.1 wants 1 to 23 characters.
    'an empty client identifier',
    version === 4 ? 'MQTT-3.1.3-8' : '',
  );
}

function readWill(reader: ByteReader, flags: number, version: ProtocolVersion): Will {
  const properties = version === 5 ? readProperties(reader, 'will') : {};
  if (properties.responseTopic !== undefined) requireResponseTopic(properties.responseTopic);
  const topic = reader.string(); // [MQTT-3.1.3-11], 3.1.1 [MQTT-3.1.3-10]
  const wrong = validateTopic(topic);
  if (wrong !== null) {
    throw new ProtocolError(
      ReasonCode.topicNameInvalid,
      `the will topic is not a topic name: ${wrong}`,
      'MQTT-4.7.0-1',
    ); // [MQTT-4.7.0-1]
  }
  const payload = reader.binary();
  const qos = ((flags >> willQosShift) & 3) as 0 | 1 | 2;
  return { topic, payload, qos, retain: (flags & flag.willRetain) !== 0, properties };
}

/**
 * True when a field of CONNECT is there. In MQTT 3.1 the remaining length wins over the flags: user name and password
 * may be missing (MQTT 3.1, 3.1).
 */
function isPresent(reader: ByteReader, flags: number, bit: number, version: ProtocolVersion): boolean {
  return (flags & bit) !== 0 && !(version === 3 && reader.left === 0);
}

/** Encodes a CONNECT; the version is the packet's own. */
export function encodeConnect(packet: ConnectPacket): Buffer {
  const { version, will, userName, password } = packet;
  const name = protocolNameOf(version);
  let size = stringSize(name) + 1 + 1 + 2 + stringSize(packet.clientId);
  if (version === 5) size += prefixedPropertiesSize(packet.properties);
  if (will !== null) {
    size += stringSize(will.topic) + binarySize(will.payload);
    if (version === 5) size += prefixedPropertiesSize(will.properties);
  }
  if (userName !== null) size += stringSize(userName);
  if (password !== null) size += binarySize(password);
  const writer = new ByteWriter(PacketType.connect << 4, size);
  writer.string(name);
  writer.byte(packet.isBridge === true ? version | bridgeBit : version);
  writer.byte(flagsOf(packet));
  writer.twoByteInteger(packet.keepAliveSeconds);
  if (version === 5) writeProperties(writer, packet.properties);
  writer.string(packet.clientId); // [MQTT-3.1.3-1]: in this order
  if (will !== null) {
    if (version === 5) writeProperties(writer, will.properties);
    writer.string(will.topic);
    writer.binary(will.payload);
  }
  if (userName !== null) writer.string(userName);
  if (password !== null) writer.binary(password);
  return writer.finish();
}

function flagsOf(packet: ConnectPacket): number {
  let flags = packet.cleanStart ? flag.cleanStart : 0;
  if (packet.will !== null) {
    flags |= flag.will | (packet.will.qos << willQosShift) | (packet.will.retain ? flag.willRetain : 0);
  }
  if (packet.userName !== null) flags |= flag.userName;
  if (packet.password !== null) flags |= flag.password;
  return flags;
}
