/** TLS connections before their handshake, on real sockets: a ClientHello is waited for until it is whole, and handshakes begin some in a turn. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { NewcomerTurns } from '@dunlin/broker';
import { Conversation, TestAuthority } from '@dunlin/testkit';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { HelloStage } from '../src/listeners/hello-stage.ts';
import type { Refusal } from '../src/listeners/refusal.ts';
import { clientHello } from './support/client-hello.ts';
import { SmallNode } from './support/small-node.ts';
import { TurnClock } from './support/turn-clock.ts';

const sockets: Socket[] = [];
let server: Server | null = null;
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.close();
});

/** A reset is an end as well. */
const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve));

async function world(handshakeTimeoutSeconds = 10) {
  const clock = new TurnClock();
  const begun: Buffer[] = [];
  const refused: Refusal[] = [];
  const late: Socket[] = [];
  const turns = new NewcomerTurns(clock, () => false);
  const stage = new HelloStage({
    turns,
    handshakeTimeoutSeconds,
    begin: (socket) => begun.push(socket.read()),
    late: (socket) => {
      late.push(socket);
      socket.destroy();
    },
    refuse: (refusal) => refused.push(refusal),
  });
  server = createServer((socket) => {
    sockets.push(socket);
    stage.enter(socket, `${socket.remoteAddress}:${socket.remotePort}`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const dial = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };
  return { clock, turns, begun, refused, late, dial };
}

test('of fifty that come at once a few begin in a turn', async () => {
  const hello = await clientHello();
  const { clock, turns, begun, dial } = await world();
  for (let i = 0; i < 50; i++) (await dial()).write(hello);
  await expect.poll(() => begun.length + turns.waiting).toBe(50);
  expect(begun.length).toBe(4);
  clock.turn();
  expect(begun.length).toBe(8);
  for (let turn = 0; turn < 12; turn++) clock.turn();
  expect(begun.length).toBe(50);
  expect(begun.every((bytes) => bytes.equals(hello))).toBe(true);
});

test('a ClientHello that comes in pieces begins when it is whole', async () => {
  const hello = await clientHello();
  const { begun, dial } = await world();
  const slow = await dial();
  slow.setNoDelay(true);
  for (const byte of hello.subarray(0, -1)) slow.write(Buffer.from([byte]));
  // What a later connection does shows that the earlier one has been read.
  (await dial()).write(hello);
  await expect.poll(() => begun.length).toBe(1);
  slow.write(hello.subarray(-1));
  await expect.poll(() => begun.length).toBe(2);
  expect(begun[1].equals(hello)).toBe(true);
});

test('bytes that are no TLS are not waited with', async () => {
  const { begun, dial } = await world();
  (await dial()).write('\x10\x0c');
  await expect.poll(() => begun.map(String)).toEqual(['\x10\x0c']);
});

test('who goes while it waits takes no turn', async () => {
  const hello = await clientHello();
  const { clock, turns, begun, refused, dial } = await world();
  const clients: Socket[] = [];
  for (let i = 0; i < 20; i++) clients.push(await dial());
  for (const client of clients) client.write(hello);
  await expect.poll(() => begun.length + turns.waiting).toBe(20);
  const waiting = sockets.filter((socket) => socket.isPaused());
  expect(waiting.length).toBe(20);
  for (const socket of waiting) socket.destroy();
  await expect.poll(() => turns.waiting).toBe(0);
  clock.turn();
  expect(begun.length).toBe(4);
  expect(refused.map(({ reason }) => reason)).toEqual(Array(16).fill('the client went away before the handshake'));
});

test('the time for the handshake counts from the first moment, however bytes come', async () => {
  const hello = await clientHello();
  const { late, begun, dial } = await world(1);
  const trickling = await dial();
  const timer = setInterval(() => trickling.write(hello.subarray(0, 1)), 100);
  trickling.write(hello.subarray(0, 5));
  await closed(trickling.resume());
  clearInterval(timer);
  expect([late.length, begun.length]).toEqual([1, 0]);
});

test('a node ends a handshake whose bytes come one by one', async () => {
  const authority = await TestAuthority.make();
  onTestFinished(() => authority.remove());
  const { cert, key } = await authority.issue('node');
  const node = await SmallNode.start({}, [{ url: 'tls://127.0.0.1:0', cert, key, handshakeTimeoutSeconds: 1 }]);
  onTestFinished(() => node.stop());
  const hello = await clientHello();
  const [early, late] = [connect(node.portOf('tls'), '127.0.0.1'), connect(node.portOf('tls'), '127.0.0.1')];
  for (const socket of [early, late]) socket.on('error', () => undefined).resume();
  sockets.push(early, late);
  late.write(hello);
  let at = 0;
  const timer = setInterval(() => {
    early.write(hello.subarray(at, ++at));
    late.write(Buffer.from([[0x16, 3, 3, 0x40][at - 1] ?? 0]));
  }, 100);
  onTestFinished(() => clearInterval(timer));
  await Promise.all([closed(early), closed(late)]);
  expect(at).toBeLessThan(hello.length);
  await expect.poll(() => node.metric('dunlin_handshakes_failed_total')).toBe(2);
  const client = await Conversation.open(node.url('tls'));
  await client.connect();
  await client.drop();
});
