/** Messages over WebSocket that have begun must be complete in time, keep alive or not: half of them cannot be hoarded. */
import { encodePacket } from '@dunlin/protocol';
import { connectPacket, publishPacket, WebSocketClient, webSocketOpcode } from '@dunlin/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SmallNode } from './support/small-node.ts';

let node: SmallNode;
beforeAll(async () => {
  node = await SmallNode.start({ 'limits.partialPacketTimeoutSeconds': '1' });
});
afterAll(() => node.stop());

/** The header of one frame, final or not, whose key is zero. */
function frame(opcode: number, length: number, isFinal = true): Buffer {
  const header = Buffer.alloc(14);
  header[0] = (isFinal ? 0x80 : 0) | opcode;
  header[1] = 0x80 | 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

const { binary, continuation } = webSocketOpcode;
const ping = Buffer.from([0x89, 0x80, 0, 0, 0, 0]);
const pingreq = Buffer.from([0xc0, 0]);
const whole = Buffer.concat([frame(binary, pingreq.length), pingreq]);
const packet = encodePacket(publishPacket({ topic: 't', payload: Buffer.alloc(200_000), qos: 1 }), 5);

async function connected(): Promise<WebSocketClient> {
  const client = await WebSocketClient.open(node.url('ws'));
  client.sendFrame(binary, encodePacket(connectPacket({ keepAliveSeconds: 0 }), 5));
  expect((await client.nextPacket()).firstByte >> 4).toBe(2);
  return client;
}

/** DISCONNECT 0x81, and then the end. */
async function expectLate(client: WebSocketClient): Promise<void> {
  let next = await client.nextPacket();
  if (next.firstByte >> 4 === 13) next = await client.nextPacket(); // PINGRESP of what came before
  expect([next.firstByte >> 4, next.bytes[2]]).toEqual([14, 0x81]);
  await client.expectClosed();
}

test.each<[string, Buffer]>([
  ['half a frame', Buffer.concat([frame(binary, packet.length), packet.subarray(0, 100_000)])],
  ['half a frame behind a whole message', Buffer.concat([whole, frame(binary, 1000), packet.subarray(0, 500)])],
  ['a fragment, and no other', Buffer.concat([frame(binary, 500, false), packet.subarray(0, 500)])],
  ['half a head', Buffer.concat([whole, frame(binary, 1000).subarray(0, 3)])],
  [
    'a fragment and a ping',
    Buffer.concat([frame(binary, 500, false), packet.subarray(0, 500), ping, frame(continuation, 500, false)]),
  ],
])('%s over WebSocket ends the connection', async (_what, bytes) => {
  const client = await connected();
  client.sendBytes(bytes);
  await expectLate(client);
});

test('a client whose messages are all complete stays, and so does one that completes them in time', async () => {
  const [patient, late] = await Promise.all([connected(), connected()]);
  patient.sendBytes(Buffer.concat([frame(binary, packet.length), packet.subarray(0, 100_000)]));
  patient.sendBytes(packet.subarray(100_000));
  expect((await patient.nextPacket()).firstByte >> 4).toBe(4);
  late.sendBytes(frame(binary, 1000));
  await expectLate(late);
  patient.sendBytes(whole);
  expect((await patient.nextPacket()).firstByte >> 4).toBe(13);
  patient.drop();
});
