/** Requests for a WebSocket that come all at once: some are answered in a turn, by the stage alone on real sockets. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { NewcomerTurns } from '@dunlin/broker';
import { afterEach, expect, test } from 'vitest';
import { WebSocketStage } from '../src/listeners/web-socket-stage.ts';
import { TurnClock } from './support/turn-clock.ts';

const sockets: Socket[] = [];
let server: Server | null = null;
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.close();
});

const request = [
  'GET /mqtt HTTP/1.1',
  'Host: x',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Protocol: mqtt',
  '\r\n',
].join('\r\n');

async function world() {
  const clock = new TurnClock();
  const turns = new NewcomerTurns(clock, () => false);
  const accepted: Buffer[] = [];
  const stage = new WebSocketStage({
    ...{ turns, paths: ['/mqtt'], origins: null, isOpenLoopback: false, frameBytesMax: 1000 },
    ...{ handshakeTimeoutSeconds: 10, trusted: null, announced: () => true, refuse: () => undefined },
    accept: (webSocket) => {
      const at = accepted.push(Buffer.alloc(0)) - 1;
      webSocket.on('message', (data) => {
        accepted[at] = data as Buffer;
      });
    },
  });
  server = createServer((socket) => {
    sockets.push(socket);
    stage.enter(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const dial = async (words: string | Buffer): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(words);
    return socket;
  };
  return { clock, turns, accepted, dial };
}

test('of forty a few are answered in a turn, and all in the end', async () => {
  const { clock, turns, accepted, dial } = await world();
  for (let i = 0; i < 40; i++) await dial(request);
  await expect.poll(() => accepted.length + turns.waiting).toBe(40);
  expect(accepted.length).toBe(16);
  clock.turn();
  expect(accepted.length).toBe(32);
  clock.turn();
  expect(accepted.length).toBe(40);
});

test('bytes behind a request that waits are read when it is its turn', async () => {
  const { clock, turns, accepted, dial } = await world();
  for (let i = 0; i < 16; i++) await dial(request);
  await expect.poll(() => accepted.length).toBe(16);
  const frame = (text: string): Buffer =>
    Buffer.concat([Buffer.from([0x82, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
  await dial(Buffer.concat([Buffer.from(request), frame('with it')]));
  const later = await dial(request);
  await expect.poll(() => turns.waiting).toBe(2);
  await new Promise<void>((resolve) => later.write(frame('behind it'), () => resolve()));
  clock.turn();
  await expect.poll(() => accepted.slice(16).map(String).sort()).toEqual(['behind it', 'with it']);
});

test('who goes while it waits takes no turn', async () => {
  const { clock, turns, accepted, dial } = await world();
  const clients: Socket[] = [];
  for (let i = 0; i < 20; i++) clients.push(await dial(request));
  await expect.poll(() => accepted.length + turns.waiting).toBe(20);
  for (const socket of sockets) socket.resetAndDestroy();
  await expect.poll(() => turns.waiting).toBe(0);
  clock.turn();
  expect(accepted.length).toBe(16);
});
