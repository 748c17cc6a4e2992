import { once } from 'node:events';
import { connect } from 'node:net';
import { encodePacket, type Packet } from '@dunlin/protocol';
import { type PacketOf, WireClient } from '@dunlin/testkit';

export interface Speaker {
  readonly url: string;
  readonly clientId: string;
  readonly cleanStart?: boolean;
  readonly userName?: string;
}

/** Of MQTT 3.1.1, as most devices speak. */
export function connectOf({ clientId, cleanStart = true, userName }: Speaker): PacketOf<'connect'> {
  return {
    type: 'connect',
    version: 4,
    clientId,
    cleanStart,
    keepAliveSeconds: 0,
    will: null,
    userName: userName ?? null,
    password: userName === undefined ? null : Buffer.from(`of ${userName}`),
    properties: {},
  };
}

export function publishOf(topic: string, payload: string, qos: 0 | 1 | 2): PacketOf<'publish'> {
  const fields = { dup: false, retain: false, topic, qos, packetId: qos === 0 ? 0 : 7, properties: {} };
  return { type: 'publish', ...fields, payload: Buffer.from(payload) };
}

export function subscribeOf(filter: string, qos: 0 | 1 | 2 = 1, packetId = 1): PacketOf<'subscribe'> {
  const subscription = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  return { type: 'subscribe', packetId, subscriptionIdentifier: 0, properties: {}, subscriptions: [subscription] };
}

export const disconnectPacket: PacketOf<'disconnect'> = { type: 'disconnect', reasonCode: 0, properties: {} };

/** Says all in one write with the end of the stream behind it, and reads what comes until the broker closes too. */
export async function sayAndListen(speaker: Speaker, ...packets: Packet[]): Promise<void> {
  const wire = await WireClient.open(speaker.url, 4);
  wire.sendLast(connectOf(speaker), ...packets);
  await wire.untilClosed(15_000);
  await wire.drop();
}

/** Says all in one write and closes the socket: what the broker answers meets a reset. */
export async function sayAndLeave(speaker: Speaker, ...packets: Packet[]): Promise<void> {
  const { hostname, port } = new URL(speaker.url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.end(Buffer.concat([connectOf(speaker), ...packets].map((packet) => encodePacket(packet, 4))), () =>
    socket.destroy(),
  );
  await once(socket, 'close');
}
