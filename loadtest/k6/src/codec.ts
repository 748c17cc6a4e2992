/**
 * MQTT 3.1.1 and 5.0 as far as a load generator speaks it, over Uint8Array: k6's engine has no Buffer, which `@dunlin/protocol` is made
 * of. test/codec.test.ts holds the two against each other.
 */

/** The protocol level in CONNECT: 4 is MQTT 3.1.1. */
export type ProtocolVersion = 4 | 5;
export type QoS = 0 | 1 | 2;

/** The upper four bits of the first byte. */
export const packetType = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
} as const;

/** Reason codes and return codes from here on are refusals. CONNACK of 3.1.1 refuses with anything but 0. */
export const refusalFirst = 0x80;

/** Fields of CONNECT. */
export interface Connect {
  readonly version: ProtocolVersion;
  readonly clientId: string;
  /** 3.1.1: clean session. */
  readonly cleanStart: boolean;
  /** 5.0 only; 3.1.1 keeps a session exactly when it does not start clean. */
  readonly sessionExpirySeconds: number;
  readonly keepAliveSeconds: number;
  readonly username: string | null;
  readonly password: string | null;
}

/** A message to be sent. */
export interface Publish {
  /** Topic in UTF-8. */
  readonly topic: Uint8Array;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  /** 0 with QoS 0. */
  readonly packetId: number;
}

/** A message that came, as places in the bytes it came in. */
export interface PublishView {
  readonly qos: QoS;
  readonly retain: boolean;
  readonly duplicate: boolean;
  /** 0 with QoS 0. */
  readonly packetId: number;
  readonly topicStart: number;
  readonly topicEnd: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

export interface Connack {
  readonly sessionPresent: boolean;
  readonly reasonCode: number;
  /** Number of messages with QoS 1 and 2 that the server takes at once. */
  readonly receiveMaximum: number;
  /** Null: the client's own holds. */
  readonly serverKeepAliveSeconds: number | null;
}

/** PUBACK, PUBREC, PUBREL, PUBCOMP; and SUBACK, whose last reason code is given. */
export interface Acknowledgement {
  readonly packetId: number;
  readonly reasonCode: number;
}

/** A packet that cannot be read. */
export class MalformedPacketError extends Error {
  constructor(what: string) {
    super(`malformed packet: ${what}`);
    this.name = 'MalformedPacketError';
  }
}

/** Text as UTF-8. */
export function utf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return new Uint8Array(bytes);
}

/** CONNECT. Session expiry is left out where it is 0, the value without it. */
export function encodeConnect(connect: Connect): Uint8Array {
  const { version, username, password } = connect;
  const flags = (connect.cleanStart ? 2 : 0) | (username === null ? 0 : 0x80) | (password === null ? 0 : 0x40);
  const body: number[] = [0, 4, 0x4d, 0x51, 0x54, 0x54, version, flags];
  pushTwoByteInteger(body, connect.keepAliveSeconds);
  if (version === 5) {
    const expiry = connect.sessionExpirySeconds;
    if (expiry === 0) body.push(0);
    else body.push(5, 0x11, (expiry >>> 24) & 255, (expiry >>> 16) & 255, (expiry >>> 8) & 255, expiry & 255);
  }
  pushText(body, connect.clientId);
  if (username !== null) pushText(body, username);
  if (password !== null) pushText(body, password);
  return packet(packetType.connect << 4, body);
}

/** PUBLISH without properties. */
export function encodePublish(publish: Publish, version: ProtocolVersion): Uint8Array {
  const { topic, payload, qos } = publish;
  const length = 2 + topic.length + (qos === 0 ? 0 : 2) + (version === 5 ? 1 : 0) + payload.length;
  const lengthBytes = lengthSize(length);
  const bytes = new Uint8Array(1 + lengthBytes + length);
  bytes[0] = (packetType.publish << 4) | (qos << 1) | (publish.retain ? 1 : 0);
  let at = writeLength(bytes, 1, length);
  bytes[at++] = topic.length >> 8;
  bytes[at++] = topic.length & 255;
  bytes.set(topic, at);
  at += topic.length;
  if (qos !== 0) {
    bytes[at++] = publish.packetId >> 8;
    bytes[at++] = publish.packetId & 255;
  }
  if (version === 5) bytes[at++] = 0;
  bytes.set(payload, at);
  return bytes;
}

/** SUBSCRIBE to one filter. */
export function encodeSubscribe(packetId: number, filter: string, qos: QoS, version: ProtocolVersion): Uint8Array {
  const body: number[] = [];
  pushTwoByteInteger(body, packetId);
  if (version === 5) body.push(0);
  pushText(body, filter);
  body.push(qos);
  return packet((packetType.subscribe << 4) | 2, body); // [MQTT-3.8.1-1]
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP that says success, which is the same in both versions. */
export function encodeAcknowledgement(type: 4 | 5 | 6 | 7, packetId: number): Uint8Array {
  const flags = type === packetType.pubrel ? 2 : 0; // [MQTT-3.6.1-1]
  return new Uint8Array([(type << 4) | flags, 2, packetId >> 8, packetId & 255]);
}

/** PINGREQ; DISCONNECT that says success. */
export function encodeEmpty(type: 12 | 14): Uint8Array {
  return new Uint8Array([type << 4, 0]);
}

/** Reads the PUBLISH whose body is bytes[start, end). @throws MalformedPacketError */
export function readPublish(
  header: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  version: ProtocolVersion,
): PublishView {
  const qos = (header >> 1) & 3;
  if (qos === 3) throw new MalformedPacketError('PUBLISH with QoS 3'); // [MQTT-3.3.1-4]
  const topicStart = start + 2;
  const topicEnd = topicStart + twoByteInteger(bytes, start, end);
  let at = topicEnd;
  let packetId = 0;
  if (qos > 0) {
    packetId = twoByteInteger(bytes, at, end);
    at += 2;
  }
  if (version === 5) at = afterProperties(bytes, at, end);
  if (at > end) throw new MalformedPacketError('PUBLISH is shorter than it says');
  return {
    qos: qos as QoS,
    retain: (header & 1) !== 0,
    duplicate: (header & 8) !== 0,
    packetId,
    topicStart,
    topicEnd,
    payloadStart: at,
    payloadEnd: end,
  };
}

/** Reads PUBACK, PUBREC, PUBREL or PUBCOMP. @throws MalformedPacketError */
export function readAcknowledgement(bytes: Uint8Array, start: number, end: number): Acknowledgement {
  // Without a reason code it is success.
  return { packetId: twoByteInteger(bytes, start, end), reasonCode: end - start > 2 ? bytes[start + 2] : 0 };
}

/** Reads SUBACK. @throws MalformedPacketError */
export function readSuback(bytes: Uint8Array, start: number, end: number, version: ProtocolVersion): Acknowledgement {
  const packetId = twoByteInteger(bytes, start, end);
  const codes = version === 5 ? afterProperties(bytes, start + 2, end) : start + 2;
  if (codes >= end) throw new MalformedPacketError('SUBACK without a reason code');
  return { packetId, reasonCode: bytes[end - 1] };
}

/** The reason code of a DISCONNECT; 0 without one. */
export function readDisconnect(bytes: Uint8Array, start: number, end: number): number {
  return end > start ? bytes[start] : 0;
}

/** Reads CONNACK. @throws MalformedPacketError */
export function readConnack(bytes: Uint8Array, start: number, end: number, version: ProtocolVersion): Connack {
  if (end - start < 2) throw new MalformedPacketError('CONNACK is too short');
  const sessionPresent = (bytes[start] & 1) !== 0;
  const reasonCode = bytes[start + 1];
  let receiveMaximum = 65_535;
  let serverKeepAliveSeconds: number | null = null;
  // A server that refuses a version may answer in the oldest one it knows, which has no properties.
  if (version === 5 && end - start > 2) {
    const properties = afterProperties(bytes, start + 2, end);
    let at = start + 2 + lengthSize(properties - start - 2);
    while (at < properties) {
      const id = bytes[at++];
      if (id === 0x21) receiveMaximum = twoByteInteger(bytes, at, end);
      if (id === 0x13) serverKeepAliveSeconds = twoByteInteger(bytes, at, end);
      at += propertySize(id, bytes, at, end);
    }
  }
  return { sessionPresent, reasonCode, receiveMaximum, serverKeepAliveSeconds };
}

/** The properties of CONNACK by what they hold: a number of bytes, one string, or two. */
const connackProperties: Readonly<Record<number, number | 'string' | 'pair'>> = {
  17: 4, // session expiry interval
  18: 'string', // assigned client identifier
  19: 2, // server keep alive
  21: 'string', // authentication method
  22: 'string', // authentication data
  26: 'string', // response information
  28: 'string', // server reference
  31: 'string', // reason string
  33: 2, // receive maximum
  34: 2, // topic alias maximum
  36: 1, // maximum QoS
  37: 1, // retain available
  38: 'pair', // user property
  39: 4, // maximum packet size
  40: 1, // wildcard subscription available
  41: 1, // subscription identifiers available
  42: 1, // shared subscription available
};

function propertySize(id: number, bytes: Uint8Array, at: number, end: number): number {
  const holds = connackProperties[id];
  if (holds === undefined) throw new MalformedPacketError(`CONNACK with property ${id}`);
  if (typeof holds === 'number') return holds;
  const first = 2 + twoByteInteger(bytes, at, end);
  return holds === 'string' ? first : first + 2 + twoByteInteger(bytes, at + first, end);
}

/** Place at which the properties that start at `at` end. */
function afterProperties(bytes: Uint8Array, at: number, end: number): number {
  let length = 0;
  for (let index = 0; index < 4; index++) {
    if (at + index >= end) break;
    const byte = bytes[at + index];
    length |= (byte & 127) << (7 * index);
    if (byte > 127) continue;
    const after = at + index + 1 + length;
    if (after > end) break;
    return after;
  }
  throw new MalformedPacketError('properties are longer than their packet');
}

function twoByteInteger(bytes: Uint8Array, at: number, end: number): number {
  if (at + 2 > end) throw new MalformedPacketError('it ends within a number');
  return (bytes[at] << 8) | bytes[at + 1];
}

function pushTwoByteInteger(body: number[], value: number): void {
  body.push((value >> 8) & 255, value & 255);
}

function pushText(body: number[], text: string): void {
  const bytes = utf8(text);
  pushTwoByteInteger(body, bytes.length);
  body.push(...bytes);
}

function packet(header: number, body: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(1 + lengthSize(body.length) + body.length);
  bytes[0] = header;
  bytes.set(body, writeLength(bytes, 1, body.length));
  return bytes;
}

/** Number of bytes of a variable byte integer. */
function lengthSize(length: number): number {
  if (length < 128) return 1;
  if (length < 16_384) return 2;
  return length < 2_097_152 ? 3 : 4;
}

function writeLength(bytes: Uint8Array, at: number, length: number): number {
  do {
    const rest = length >> 7;
    bytes[at++] = (length & 127) | (rest > 0 ? 128 : 0);
    length = rest;
  } while (length > 0);
  return at;
}
