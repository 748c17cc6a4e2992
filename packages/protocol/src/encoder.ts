import { stringBytesMax } from './bytes.ts';
import { PacketType } from './packet-type.ts';
import { encodeAck } from './packets/ack.ts';
import { encodeAuth } from './packets/auth.ts';
import { encodeConnack } from './packets/connack.ts';
import { encodeConnect } from './packets/connect.ts';
import { encodeDisconnect } from './packets/disconnect.ts';
import type { Packet } from './packets/packet.ts';
import { pingreq } from './packets/pingreq.ts';
import { pingresp } from './packets/pingresp.ts';
import { encodePublish } from './packets/publish.ts';
import { encodeSuback } from './packets/suback.ts';
import { encodeSubscribe } from './packets/subscribe.ts';
import { encodeUnsuback } from './packets/unsuback.ts';
import { encodeUnsubscribe } from './packets/unsubscribe.ts';
import type { Properties } from './properties.ts';
import type { ProtocolVersion } from './version.ts';

/**
 * Encodes any packet of either direction. The result may be a shared buffer (PINGREQ, PINGRESP): do not write to it. It
 * is empty where an older version has nothing to send, see `encodeConnack`.
 */
export function encodePacket(packet: Packet, version: ProtocolVersion): Buffer {
  switch (packet.type) {
    case 'connect':
      return encodeConnect(packet);
    case 'connack':
      return encodeConnack(packet, version);
    case 'publish':
      return encodePublish(packet, version);
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return encodeAck(PacketType[packet.type], packet, version);
    case 'subscribe':
      return encodeSubscribe(packet, version);
    case 'suback':
      return encodeSuback(packet, version);
    case 'unsubscribe':
      return encodeUnsubscribe(packet, version);
    case 'unsuback':
      return encodeUnsuback(packet, version);
    case 'pingreq':
      return pingreq;
    case 'pingresp':
      return pingresp;
    case 'disconnect':
      return encodeDisconnect(packet, version);
    case 'auth':
      return encodeAuth(packet, version);
  }
}

/**
 * Encodes a packet for a receiver that takes at most `maximumPacketSize` bytes. If it is larger, user properties are
 * left out, then the reason string too, in the packets that explain something; a PUBLISH is never thinned, since its
 * user properties belong to the message [MQTT-3.3.2-17]. Returns null if it still does not fit: then it may not be
 * sent [MQTT-3.1.2-24]. Never throws for what explains: a text that no field can hold is cut or left out.
 */
export function encodeWithin(packet: Packet, version: ProtocolVersion, maximumPacketSize: number): Buffer | null {
  if (version !== 5 || !mayBeThinned(packet)) {
    const bytes = encodePacket(packet, version);
    return bytes.length <= maximumPacketSize ? bytes : null;
  }
  return encodeExplaining(encodable(packet), maximumPacketSize);
}

/** Longer reason strings are cut: they are for people (MQTT 5.0, 3.2.2.3.9), and what they say is said by then. */
const reasonStringBytesMax = 1024;

/**
 * Leaves out or cuts Reason String and User Properties that could not be encoded: an error must not fail at its own
 * explanation.
 */
function encodable(packet: Explaining): Explaining {
  const { reasonString, userProperties, responseInformation, serverReference } = packet.properties ?? {};
  const isLong = reasonString !== undefined && Buffer.byteLength(reasonString) > reasonStringBytesMax;
  const misfits = userProperties?.some(([name, value]) => !isField(name) || !isField(value)) === true;
  if (!isLong && !misfits && isField(responseInformation) && isField(serverReference)) return packet;
  const properties: Properties = { ...packet.properties };
  if (isLong) properties.reasonString = cut(reasonString, reasonStringBytesMax);
  if (misfits) properties.userProperties = userProperties?.filter(([name, value]) => isField(name) && isField(value));
  if (!isField(responseInformation)) properties.responseInformation = undefined;
  if (!isField(serverReference)) properties.serverReference = undefined;
  return { ...packet, properties } as Explaining;
}

function isField(text: string | undefined): boolean {
  return text === undefined || Buffer.byteLength(text) <= stringBytesMax;
}

/** The longest beginning of a text that has so many bytes at most and ends with a whole character. */
function cut(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  let end = bytesMax;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

function encodeExplaining(packet: Explaining, maximumPacketSize: number): Buffer | null {
  const version = 5;
  const whole = encodePacket(packet, version);
  if (whole.length <= maximumPacketSize) return whole;
  // [MQTT-3.2.2-20] [MQTT-3.4.2-3] [MQTT-3.5.2-3] [MQTT-3.6.2-3] [MQTT-3.7.2-3] [MQTT-3.9.2-2] [MQTT-3.11.2-2]
  // [MQTT-3.14.2-4] [MQTT-3.15.2-3]
  const thinner = { ...packet, properties: { ...packet.properties, userProperties: undefined } };
  const withReason = encodePacket(thinner, version);
  if (withReason.length <= maximumPacketSize) return withReason;
  // [MQTT-3.2.2-19] [MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.6.2-2] [MQTT-3.7.2-2] [MQTT-3.9.2-1] [MQTT-3.11.2-1]
  // [MQTT-3.14.2-3] [MQTT-3.15.2-2]
  const thinnest = { ...packet, properties: { ...thinner.properties, reasonString: undefined } };
  const bare = encodePacket(thinnest, version);
  return bare.length <= maximumPacketSize ? bare : null; // [MQTT-3.1.2-24]
}

type Explaining = Exclude<
  Packet,
  { type: 'publish' | 'connect' | 'subscribe' | 'unsubscribe' | 'pingreq' | 'pingresp' }
>;

function mayBeThinned(packet: Packet): packet is Explaining {
  switch (packet.type) {
    case 'publish':
    case 'connect':
    case 'subscribe':
    case 'unsubscribe':
    case 'pingreq':
    case 'pingresp':
      return false;
    default:
      return true;
  }
}
