/** Clients that say everything at once and go, as battery devices and one-line scripts do (MQTT 5 section 3.1.4: nobody need wait for CONNACK). */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { encodePacket, type Packet, type ProtocolVersion } from '@dunlin/protocol';
import { WebSocket } from 'ws';

/** The packets as one piece of bytes. */
export function together(version: ProtocolVersion, packets: readonly Packet[]): Buffer {
  return Buffer.concat(packets.map((packet) => encodePacket(packet, version)));
}

/** Sends it in one write, ends its side, and waits until the connection is closed. `ca`: for mqtts and wss. */
export async function sayAndGo(url: string, bytes: Buffer, ca?: string): Promise<void> {
  const { protocol, hostname, port } = new URL(url);
  const trust = ca === undefined ? {} : { ca: readFileSync(ca) };
  if (protocol.startsWith('ws')) {
    const socket = new WebSocket(url, 'mqtt', trust);
    await once(socket, 'open');
    socket.send(bytes);
    socket.close();
    await once(socket, 'close');
    return;
  }
  const place = { host: hostname, port: Number(port) };
  const socket =
    protocol === 'mqtts:' ? connectTls({ ...place, ...trust, servername: 'localhost' }) : connectTcp(place);
  socket.resume();
  socket.on('error', () => undefined);
  socket.end(bytes);
  await once(socket, 'close');
}
