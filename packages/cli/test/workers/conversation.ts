import type { Will } from '@dunlin/protocol';
import type { PacketOf, WireClient } from '@dunlin/testkit';

/** A CONNECT: MQTT 5, a new session that ends with its connection unless said otherwise. */
export interface Greeting {
  readonly clientId: string;
  readonly cleanStart?: boolean;
  readonly sessionExpirySeconds?: number;
  readonly receiveMaximum?: number;
  readonly will?: Will;
}

/** An answer of a machine that is busy with other tests may take this long. */
const answerMilliseconds = 15_000;

/** Sends CONNECT and returns the CONNACK, which must not be a refusal. */
export async function greet(wire: WireClient, greeting: Greeting): Promise<PacketOf<'connack'>> {
  sendConnect(wire, greeting);
  return wire.expectPacket({ type: 'connack', reasonCode: 0 }, answerMilliseconds);
}

export function sendConnect(wire: WireClient, greeting: Greeting): void {
  wire.send({
    type: 'connect',
    version: 5,
    cleanStart: greeting.cleanStart ?? true,
    keepAliveSeconds: 0,
    clientId: greeting.clientId,
    will: greeting.will ?? null,
    userName: null,
    password: null,
    properties: {
      sessionExpiryInterval: greeting.sessionExpirySeconds ?? 0,
      receiveMaximum: greeting.receiveMaximum ?? 1000,
    },
  });
}

/** Sends SUBSCRIBE and waits for SUBACK, which grants what was asked for. */
export async function subscribe(wire: WireClient, filter: string, qos: 0 | 1 | 2): Promise<void> {
  const subscription = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  wire.send({
    type: 'subscribe',
    packetId: 1,
    subscriptionIdentifier: 0,
    properties: {},
    subscriptions: [subscription],
  });
  await wire.expectPacket({ type: 'suback', reasonCodes: [qos] }, answerMilliseconds);
}

export interface Message {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1 | 2;
  readonly retain?: boolean;
}

export function sendPublish(wire: WireClient, { topic, payload, qos, retain }: Message, packetId: number): void {
  wire.send({
    type: 'publish',
    dup: false,
    qos,
    retain: retain ?? false,
    topic,
    packetId: qos === 0 ? 0 : packetId,
    properties: {},
    payload: Buffer.from(payload),
  });
}

/** Publishes one message and goes through its whole handshake. Nothing else may be on its way to this client. */
export async function publish(wire: WireClient, message: Message, packetId = 1): Promise<void> {
  sendPublish(wire, message, packetId);
  if (message.qos === 1) await wire.expectPacket({ type: 'puback', packetId }, answerMilliseconds);
  if (message.qos < 2) return;
  await wire.expectPacket({ type: 'pubrec', packetId }, answerMilliseconds);
  wire.send({ type: 'pubrel', packetId, reasonCode: 0, properties: null });
  await wire.expectPacket({ type: 'pubcomp', packetId, reasonCode: 0 }, answerMilliseconds);
}

/** Takes and acknowledges messages until there are enough and every handshake is through. Returns them in their order. */
export async function receive(
  wire: WireClient,
  isEnough: (received: PacketOf<'publish'>[]) => boolean,
): Promise<PacketOf<'publish'>[]> {
  const received: PacketOf<'publish'>[] = [];
  const open = new Set<number>();
  while (open.size > 0 || !isEnough(received)) {
    const packet = await wire.next(answerMilliseconds);
    if (packet.type === 'pubrel') {
      open.delete(packet.packetId);
      wire.send({ type: 'pubcomp', packetId: packet.packetId, reasonCode: 0, properties: null });
      continue;
    }
    if (packet.type !== 'publish') throw new TypeError(`${packet.type} was not expected${wire.transcript()}`);
    received.push(packet);
    if (packet.qos === 2) open.add(packet.packetId);
    if (packet.qos > 0) {
      const type = packet.qos === 1 ? 'puback' : 'pubrec';
      wire.send({ type, packetId: packet.packetId, reasonCode: 0, properties: null });
    }
  }
  return received;
}

/** The next `count` messages, as text. */
export async function receiveTexts(wire: WireClient, count: number): Promise<string[]> {
  return textsOf(await receive(wire, (received) => received.length >= count));
}

export function textsOf(messages: readonly PacketOf<'publish'>[]): string[] {
  return messages.map((message) => message.payload.toString());
}
