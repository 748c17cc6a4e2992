import { once } from 'node:events';
import { connect } from 'node:net';
import { encodePacket, type Packet } from '@dunlin/protocol';
import { connectPacket, type PacketOf, publishPacket, subscribePacket, WireClient } from '@dunlin/testkit';

export interface Speaker {
  readonly url: string;
  readonly clientId: string;
  readonly cleanStart?: boolean;
  readonly userName?: string;
}

/** CONNECT packet of MQTT 3.1.1, as most devices speak. */
export function connectOf({ clientId, cleanStart = true, userName }: Speaker): PacketOf<'connect'> {
  const signIn = userName === undefined ? {} : { userName, password: `of ${userName}` };
  return connectPacket({ version: 4, clientId, cleanStart, ...signIn });
}

export function publishOf(topic: string, payload: string, qos: 0 | 1 | 2): PacketOf<'publish'> {
  return publishPacket({ topic, payload, qos, packetId: qos === 0 ? 0 : 7 });
}

export function subscribeOf(filter: string, qos: 0 | 1 | 2 = 1, packetId = 1): PacketOf<'subscribe'> {
  return subscribePacket({ filter, qos }, packetId);
}

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
