/** The HTTP server of a node under connections that somebody holds, and signs of life of its workers. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { AdminServer } from '../src/admin/admin-server.ts';
import { NodeStatus } from '../src/node-status.ts';
import { Heartbeats, newHeartbeats, silentSecondsMax } from '../src/workers/heartbeats.ts';

const held: Socket[] = [];
let server: AdminServer | null = null;
afterEach(async () => {
  for (const socket of held.splice(0)) socket.destroy();
  await server?.close();
});

async function start(): Promise<URL> {
  const nothing = (): void => {};
  server = new AdminServer({
    status: new NodeStatus({ debug: nothing, info: nothing, warn: nothing, error: nothing }),
    isAlive: () => true,
    metrics: async () => ({ contentType: 'text/plain', text: '' }),
    metricsNeedKey: false,
    api: { answer: async () => nothing(), admits: async () => false },
  });
  return new URL(await server.listen('127.0.0.1:0'));
}

async function hold({ hostname, port }: URL, from: string): Promise<Socket> {
  const socket = connect({ host: hostname, port: Number(port), localAddress: from });
  socket.on('error', () => {});
  held.push(socket);
  await once(socket, 'connect');
  return socket;
}

const probe = 'GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n';

/** A probe on a connection that is there: the first line of the answer. */
async function ask(socket: Socket): Promise<string> {
  socket.write(probe);
  const [answer] = await once(socket, 'data');
  return String(answer).split('\r\n')[0];
}

test('a probe is answered though somebody holds all connections, and keeps its own', async () => {
  const url = await start();
  const kept = await hold(url, '127.0.0.2');
  const oldest = await hold(url, '127.0.0.1');
  const closed = once(oldest.resume(), 'close');
  for (let n = 0; n < 300; n++) await hold(url, '127.0.0.1');
  expect(await ask(await hold(url, '127.0.0.3'))).toBe('HTTP/1.1 200 OK');
  await closed; // the oldest of those who hold most
  expect(await ask(kept)).toBe('HTTP/1.1 200 OK');
  expect((await fetch(`${url}healthz`)).status).toBe(200);
});

test('a worker counts as alive until it has been silent for half a minute', () => {
  let now = 1000;
  const heartbeats = new Heartbeats(newHeartbeats(2), () => now);
  heartbeats.beat(0);
  heartbeats.beat(1);
  now += silentSecondsMax;
  heartbeats.beat(1);
  expect([heartbeats.isAlive(0), heartbeats.isAlive(1)]).toEqual([true, true]);
  now++;
  expect([heartbeats.isAlive(0), heartbeats.isAlive(1)]).toEqual([false, true]);
  heartbeats.beat(0);
  expect(heartbeats.isAlive(0)).toBe(true);
});
