/** Limits for connections before CONNACK, on real sockets: handshakes count, and behind a load balancer the client's own address. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodePacket } from '@dunlin/protocol';
import { Conversation, connectPacket, TestAuthority } from '@dunlin/testkit';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { SmallNode } from './support/small-node.ts';

let node: SmallNode | null = null;
let sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await node?.stop();
  node = null;
});

/** Opens a connection and says this much; nothing more comes of it. */
async function dial(port: number, words = ''): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  if (words !== '') socket.write(words);
  return socket;
}

async function closedByNode(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
}

const refused = (): Promise<number> =>
  (node as SmallNode).metric('dunlin_connections_closed_total', 'reason="unsigned-max"');

test('of one address, no more than the limit; who signs in makes room', async () => {
  node = await SmallNode.start({ 'limits.unsignedConnectionsPerAddressMax': '2' });
  const client = await Conversation.open(node.url('tcp'));
  const silent = await dial(node.portOf('tcp'));
  await closedByNode(await dial(node.portOf('tcp')));
  await client.connect();
  const another = await Conversation.open(node.url('tcp'));
  await another.connect();
  expect(silent.closed).toBe(false);
  await expect.poll(refused).toBe(1);
});

test('requests for a WebSocket count', async () => {
  node = await SmallNode.start({ 'limits.unsignedConnectionsPerAddressMax': '2' });
  const port = node.portOf('ws');
  await dial(port, 'GET /mqtt HTTP/1.1\r\nHost: x\r\n');
  const client = await Conversation.open(node.url('ws'));
  await closedByNode(await dial(port, 'GET /mqtt HTTP/1.1\r\n'));
  await client.connect();
  await (await Conversation.open(node.url('ws'))).connect();
  await expect.poll(refused).toBe(1);
});

test('TLS handshakes that are half open count', async () => {
  const authority = await TestAuthority.make();
  onTestFinished(() => authority.remove());
  const { cert, key } = await authority.issue('node');
  node = await SmallNode.start({ 'limits.unsignedConnectionsPerAddressMax': '2' }, [
    { url: 'tls://127.0.0.1:0', cert, key },
  ]);
  const port = node.portOf('tls');
  await dial(port);
  const client = await Conversation.open(`mqtts://127.0.0.1:${port}`);
  await closedByNode(await dial(port));
  await client.connect();
  const another = await Conversation.open(`mqtts://127.0.0.1:${port}`);
  await another.connect();
  await expect.poll(refused).toBe(1);
});

test('behind a load balancer the address in the PROXY header counts, of IPv6 its network', async () => {
  node = await SmallNode.start({ 'limits.unsignedConnectionsPerAddressMax': '1' }, [
    { url: 'tcp://127.0.0.1:0', proxy: 'required', trustedProxies: ['127.0.0.1'] },
  ]);
  const port = node.portOf('tcp');
  const header = (address: string): string =>
    `PROXY TCP${address.includes(':') ? 6 : 4} ${address} ${address.includes(':') ? '::1' : '127.0.0.1'} 1000 1883\r\n`;
  for (const [first, same, other] of [
    ['203.0.113.7', '203.0.113.7', '203.0.113.8'],
    ['2001:db8::1', '2001:db8::2', '2001:db8:0:1::1'],
  ]) {
    const both = [await dial(port, header(first)), await dial(port, header(same))];
    await Promise.race(both.map(closedByNode));
    const another = await dial(port, header(other));
    another.write(encodePacket(connectPacket({ version: 4 }), 4));
    const [connack] = (await once(another, 'data')) as [Buffer];
    expect([...connack]).toEqual([0x20, 2, 0, 0]);
    expect(both.filter((socket) => socket.closed).length).toBe(1);
  }
});
