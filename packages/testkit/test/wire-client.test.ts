import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePort } from '../src/free-port.ts';
import { hex } from '../src/raw-packet.ts';
import { WireClient } from '../src/wire-client.ts';

let server: Server;
let port: number;
let accepted: Promise<Socket>;
let client: WireClient;

beforeEach(async () => {
  server = createServer();
  server.listen(0, '127.0.0.1');
  accepted = once(server, 'connection').then(([socket]) => socket);
  await once(server, 'listening');
  port = (server.address() as { port: number }).port;
  client = await WireClient.open(`mqtt://127.0.0.1:${port}`, 5);
});

afterEach(async () => {
  await client.drop();
  (await accepted).destroy();
  server.close();
});

test('packets are put together from chunks, and expected by type, by field and by bytes', async () => {
  const socket = await accepted;
  socket.write(hex('20 03'));
  socket.write(hex('01 00 00 40 02 00 07 d0'));
  socket.write(hex('00'));
  await client.expectPacket({ type: 'connack', sessionPresent: true, reasonCode: 0 });
  expect((await client.expect('puback')).packetId).toBe(7);
  await client.expectBytes(hex('d0 00'));
});

test('another packet than the expected one fails with the whole conversation', async () => {
  (await accepted).write(hex('40 02 00 07'));
  client.send(hex('c0 00'));
  await expect(client.expect('pingresp')).rejects.toThrow(/expected pingresp.*\n.*\n {2}> c000\n {2}< 40020007/s);
  (await accepted).write(hex('40 02 00 07'));
  await expect(client.expectPacket({ type: 'puback', packetId: 8 })).rejects.toThrow('packetId is 7, not 8');
  (await accepted).write(hex('40 02 00 07'));
  await expect(client.expectBytes(hex('40 02 00 08'))).rejects.toThrow('expected 40020008, got 40020007');
});

test('silence fails within its time, and shows half a packet', async () => {
  (await accepted).write(hex('40 02 00'));
  await expect(client.next(50)).rejects.toThrow(/no packet came/);
  await expect(client.expectClosed(50)).rejects.toThrow(/still open.*400200 \(incomplete\)/s);
});

test('nothing is nothing between PINGREQ and PINGRESP', async () => {
  const socket = await accepted;
  socket.on('data', () => socket.write(hex('d0 00')));
  await client.expectNothing();
  socket.write(hex('40 02 00 07'));
  await client.expect('puback');
  socket.removeAllListeners('data');
  socket.on('data', () => socket.write(hex('40 02 00 07 d0 00')));
  await expect(client.expectNothing()).rejects.toThrow('expected nothing before PINGRESP');
});

test('the end of the connection is seen, and nothing may come before it', async () => {
  (await accepted).end(hex('e0 01 8e'));
  await expect(client.expectClosed()).rejects.toThrow('expected the end, got e0018e');
  expect(await client.untilClosed()).toEqual([{ type: 'disconnect', reasonCode: 0x8e, properties: {} }]);
  await client.expectClosed();
  await expect(client.next()).rejects.toThrow('the connection is closed');
});

test('a packet that breaks the rules fails the test that reads it', async () => {
  (await accepted).write(hex('20 03 02 00 00'));
  await expect(client.next()).rejects.toThrow(/cannot be decoded.*MQTT-3.2.2-1/);
});

test('a packet may be picked from among others, which stay in their order', async () => {
  (await accepted).write(hex('40 02 00 07 d0 00 90 04 00 01 00 00 40 02 00 08'));
  expect(await client.expectAmong('suback')).toMatchObject({ packetId: 1, reasonCodes: [0] });
  await client.expectPacket({ type: 'puback', packetId: 7 });
  await client.expect('pingresp');
  await client.expectPacket({ type: 'puback', packetId: 8 });
  (await accepted).end();
  await expect(client.expectAmong('suback')).rejects.toThrow('expected suback, got the end');
});

test('bytes arrive one by one', async () => {
  const socket = await accepted;
  let seen = '';
  const done = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      seen += chunk.toString('hex');
      if (seen.length === 8) resolve();
    });
  });
  await client.sendByteByByte(hex('01 02 03 04'));
  await done;
  expect(seen).toBe('01020304');
});

test('a Unix socket is as good as TCP', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'wire-'));
  const local = createServer((socket) => socket.end(hex('d0 00')));
  local.listen(join(directory, 'socket'));
  await once(local, 'listening');
  const other = await WireClient.open(`unix:${join(directory, 'socket')}`);
  await other.expect('pingresp');
  await other.expectClosed();
  local.close();
  await rm(directory, { recursive: true });
});

test('no server is an error at once', async () => {
  const unused = await freePort();
  await expect(WireClient.open(`mqtt://127.0.0.1:${unused}`)).rejects.toThrow(/ECONNREFUSED/);
});
