import type { ProtocolVersion, PublishPacket } from '@dunlin/protocol';
import { connectPacket, type PacketOf, publishPacket, subscribePacket, WireClient } from '@dunlin/testkit';

export interface Entering {
  clientId?: string;
  userName?: string | null;
  password?: string | null;
  version?: ProtocolVersion;
  will?: string;
}

/** Connections that a test has opened; `leave` ends them. */
const opened: WireClient[] = [];

/** Sends a CONNECT and returns what the broker says to it. */
export async function knock(
  url: string,
  entering: Entering,
): Promise<{ wire: WireClient; connack: PacketOf<'connack'> }> {
  const { clientId = 'c', userName = null, password = null, version = 5, will } = entering;
  const wire = await WireClient.open(url, version);
  opened.push(wire);
  const testament = { qos: 0, retain: false, payload: Buffer.from('gone'), properties: {} } as const;
  const named = will === undefined ? null : { topic: will, ...testament };
  wire.send(connectPacket({ version, clientId, will: named, userName, password }));
  return { wire, connack: await wire.expect('connack', 15_000) };
}

/** The reason code of CONNACK; return codes for MQTT 3. */
export async function answerTo(url: string, entering: Entering): Promise<number> {
  return (await knock(url, entering)).connack.reasonCode;
}

/** A client that was let in. */
export async function enter(url: string, entering: Entering): Promise<WireClient> {
  const { wire, connack } = await knock(url, entering);
  if (connack.reasonCode !== 0) throw new TypeError(`refused with ${connack.reasonCode}${wire.transcript()}`);
  return wire;
}

export async function subscribe(wire: WireClient, filter: string, qos: 0 | 1 | 2 = 0): Promise<number> {
  wire.send(subscribePacket({ filter, qos }));
  return (await wire.expectAmong('suback')).reasonCodes[0];
}

/** A PUBLISH with QoS 0. */
export function message(topic: string, payload = 'x'): PublishPacket {
  return publishPacket({ topic, payload });
}

/** Publishes with QoS 1 and returns the reason code of PUBACK. */
export async function publish(wire: WireClient, topic: string, payload = 'x', retain = false): Promise<number> {
  wire.send({ ...message(topic, payload), qos: 1, packetId: 9, retain });
  return (await wire.expectAmong('puback')).reasonCode;
}

export async function leave(): Promise<void> {
  await Promise.all(opened.splice(0).map((wire) => wire.drop()));
}
