/** Attacks before CONNECT is accepted: whoever reaches the port can do them. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { encodePacket } from '@dunlin/protocol';
import { connectPacket, prefixed, properties, rawConnect, rawPacket } from '@dunlin/testkit';
import type { Attack } from '../attack.ts';
import { AttackSocket } from '../attack-socket.ts';
import type { Stage } from '../stage.ts';

const mebibyte = 1024 * 1024;
const pingreq = Buffer.from([0xc0, 0]);

/** A CONNECT of the attacker with a wrong password. */
export const wrongConnect = encodePacket(
  connectPacket({ clientId: 'guess', userName: 'mallory', password: 'wrong' }),
  5,
);

/** A user property (MQTT 5.0, 2.2.2.2) of the fewest bytes that mean something. */
const userProperty = Buffer.concat([Buffer.from([0x26]), prefixed('k'), prefixed('')]);

/** User properties: as many as 1 MiB holds. */
export const userProperties = Buffer.concat(Array.from({ length: 149_000 }, () => userProperty));

/** Bytes of a CONNECT that announces 1 MiB and lacks the last hundredth. */
function mostOfAConnect(): Buffer {
  const password = prefixed(Buffer.alloc(65_535));
  const rest = Buffer.alloc(mebibyte - 100_000);
  const whole = rawPacket(0x10, prefixed('MQTT'), Buffer.from([5, 0x02, 0, 0]), properties(rest), password);
  return whole.subarray(0, Math.floor(whole.length * 0.99));
}

/** Opens connections, sends each the same, and holds them until the time is over. */
async function holding(stage: Stage, count: number, bytes: Buffer): Promise<void> {
  await stage.many(count, async () => {
    const socket = await stage.open();
    await socket?.send(bytes);
    return socket;
  });
  await stage.hold();
}

/** Sends one byte after the other, twenty a second. */
async function byteByByte(stage: Stage, socket: AttackSocket, bytes: Buffer): Promise<void> {
  for (let index = 0; index < bytes.length && stage.goesOn && !socket.isClosed; index++) {
    await socket.send(bytes.subarray(index, index + 1));
    await pause(50);
  }
}

/** A ClientHello, as a TLS client sends it first; recorded from this process's own TLS. */
export async function clientHello(): Promise<Buffer> {
  const { createServer } = await import('node:net');
  const { connect: connectTls } = await import('node:tls');
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const accepted = once(server, 'connection');
  const client = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false });
  client.on('error', () => {});
  const [socket] = (await accepted) as [import('node:net').Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

export const beforeConnect: readonly Attack[] = [
  {
    name: 'held-http-connections',
    title: 'Silent HTTP connections',
    details: '400 connections to the HTTP server of the node that say nothing, opened again when they are closed',
    seconds: 8,
    isDunlinAlone: true,
    async run(stage) {
      const { host, adminPort } = stage.address;
      const hold = async () => {
        while (adminPort !== null && stage.goesOn) {
          const socket = connectTcp(adminPort, host);
          socket.on('error', () => stage.tally.add('HTTP connections that failed'));
          const closed = new Promise((resolve) => socket.resume().once('close', resolve));
          await Promise.race([closed, stage.hold()]);
          socket.destroy();
        }
      };
      await Promise.all(Array.from({ length: 400 }, hold));
    },
  },
  {
    name: 'silent-connections',
    title: 'Connections that say nothing',
    details: '3,000 connections that say nothing',
    seconds: 11,
    run: (stage) => holding(stage, 3000, Buffer.alloc(0)),
  },
  {
    name: 'connect-byte-by-byte',
    title: 'CONNECT a byte at a time',
    details: '1,000 connections that send CONNECT a byte at a time',
    seconds: 11,
    async run(stage) {
      const sockets = await stage.many(1000, () => stage.open());
      await Promise.all(sockets.map((socket) => byteByByte(stage, socket, rawConnect({ level: 5 }))));
    },
  },
  {
    name: 'most-of-a-connect',
    title: 'CONNECT packets that never end',
    details: '600 connections, each with 99 % of a CONNECT of 1 MiB',
    seconds: 6,
    isShort: true,
    run: (stage) => holding(stage, 600, mostOfAConnect()),
  },
  {
    name: 'packets-behind-connect',
    title: 'Packets sent before CONNACK',
    details: '200 connections: CONNECT with a wrong password, and 64 KiB of PINGREQ behind it',
    seconds: 6,
    isShort: true,
    run: (stage) =>
      holding(stage, 200, Buffer.concat([wrongConnect, ...Array.from({ length: 32 * 1024 }, () => pingreq)])),
  },
  {
    name: 'connect-user-properties',
    title: 'CONNECT with 149,000 properties',
    details: '24 CONNECT packets with 149,000 user properties each',
    seconds: 5,
    isShort: true,
    run: (stage) => holding(stage, 24, rawConnect({ level: 5, properties: userProperties })),
  },
  {
    name: 'tls-half-open',
    title: 'TLS handshakes never finished',
    details: '2,000 TLS handshakes that stop after ClientHello',
    seconds: 11,
    listener: 'tls',
    async run(stage) {
      const hello = await clientHello();
      await stage.many(2000, async () => {
        const { host, tlsPort } = stage.address;
        const socket = await AttackSocket.open(host, tlsPort, 5, stage.tally);
        // What comes back is TLS, not MQTT.
        socket?.stream.removeAllListeners('data').resume();
        await socket?.send(hello);
        return socket;
      });
      await stage.hold();
    },
  },
  {
    name: 'tls-client-hellos',
    title: 'TLS handshakes broken off',
    details: '500 ClientHello a second, each on a new connection that ends at the answer',
    seconds: 6,
    listener: 'tls',
    async run(stage) {
      const hello = await clientHello();
      const { host, tlsPort: port } = stage.address;
      await stage.repeat(500, () => {
        const socket = connectTcp({ host, port });
        socket.on('error', () => stage.tally.add('refused'));
        socket.on('data', () => socket.destroy());
        socket.write(hello);
      });
    },
  },
  {
    name: 'malformed-packets',
    title: 'Malformed packets',
    details: '40 connections at a time that send bytes which are no MQTT, without pause',
    seconds: 6,
    isShort: true,
    async run(stage) {
      const bytes = Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0xff]);
      const one = async () => {
        while (stage.goesOn) {
          const socket = await stage.open();
          const closed = socket?.answer('connack');
          await socket?.send(bytes);
          await closed;
          socket?.drop();
        }
      };
      await Promise.all(Array.from({ length: 40 }, one));
    },
  },
  {
    name: 'metrics-requests',
    title: 'Requests for metrics without pause',
    details: '16 HTTP clients that ask for the metrics of the node again and again',
    seconds: 6,
    isDunlinAlone: true,
    async run(stage) {
      const { host, adminPort } = stage.address;
      const one = async () => {
        while (stage.goesOn) {
          const answer = await fetch(`http://${host}:${adminPort}/metrics`).catch(() => null);
          await answer?.text().catch(() => '');
          if (answer?.status !== 200) stage.tally.add(`HTTP ${answer?.status ?? 'connections that failed'}`);
        }
      };
      await Promise.all(Array.from({ length: 16 }, one));
    },
  },
];
