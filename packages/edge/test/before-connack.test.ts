/** Bounds of what a client may send before it has signed in, over TCP and WebSocket. */

import { encodePacket } from '@dunlin/protocol';
import {
  Conversation,
  connectPacket,
  HttpQuestionServer,
  publishPacket,
  WebSocketClient,
  webSocketOpcode,
} from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SmallNode } from './support/small-node.ts';

const connectBytesMax = 64 * 1024;
let node: SmallNode;
beforeAll(async () => {
  node = await SmallNode.start();
});
afterAll(() => node.stop());

/** A CONNECT of so many bytes, most of them a password. */
function connectOf(bytes: number, version: 4 | 5 = 5): Buffer {
  const fields = { version, userName: 'u', password: '' };
  const rest = encodePacket(connectPacket({ ...fields, password: 'x'.repeat(60_000) }), version).length - 60_000;
  return encodePacket(connectPacket({ ...fields, password: 'x'.repeat(bytes - rest) }), version);
}

describe.each(['tcp', 'ws'] as const)('over %s', (kind) => {
  test('a CONNECT of 64 KiB is taken', async () => {
    const client = await Conversation.open(node.url(kind), 5);
    client.send(connectOf(connectBytesMax - 1000));
    expect((await client.expect('connack')).reasonCode).toBe(0);
  });

  test('a larger one is refused with 0x95, in MQTT 3 without a word', async () => {
    const client = await Conversation.open(node.url(kind), 5);
    client.send(encodePacket(connectPacket({ userName: 'u', password: 'x'.repeat(65_535) }), 5));
    const { reasonCode, properties } = await client.expect('connack');
    expect(reasonCode).toBe(0x95);
    expect(properties.reasonString).toMatch(/^a packet of 655\d\d bytes is over the maximum packet size of 65536/);
    await client.expectClosed();
    const older = await Conversation.open(node.url(kind), 4);
    older.send(encodePacket(connectPacket({ version: 4, userName: 'u', password: 'x'.repeat(65_535) }), 4));
    expect(await older.untilClosed()).toEqual([]);
  });

  test('64 user properties in CONNECT are taken, and one more refused with 0x97', async () => {
    const of = (count: number) => ({
      userProperties: Array.from({ length: count }, () => ['', ''] as [string, string]),
    });
    const client = await Conversation.open(node.url(kind), 5);
    client.send(connectPacket({ properties: of(64) }));
    expect((await client.expect('connack')).reasonCode).toBe(0);
    const refused = await Conversation.open(node.url(kind), 5);
    refused.send(connectPacket({ properties: of(65) }));
    const { reasonCode, properties } = await refused.expect('connack');
    expect([reasonCode, properties.reasonString]).toEqual([0x97, 'over 64 user properties in one connect']);
  });
});

describe('a WebSocket message', () => {
  /** The header of one frame, final or not, whose payload is not masked in effect: its key is zero. */
  const frame = (opcode: number, length: number, isFinal: boolean): Buffer => {
    const header = Buffer.alloc(14);
    header[0] = (isFinal ? 0x80 : 0) | opcode;
    header[1] = 0x80 | 127;
    header.writeBigUInt64BE(BigInt(length), 2);
    return header;
  };

  test('of which too much comes before CONNECT ends the connection with 1009', async () => {
    const client = await WebSocketClient.open(node.url('ws'));
    client.sendBytes(frame(webSocketOpcode.binary, 1_000_000, true));
    client.sendBytes(Buffer.alloc(100_000, 0x10));
    expect(await client.expectClosed()).toBe(1009);
  });

  test('may be as large as ever when the client is connected', async () => {
    const client = await WebSocketClient.open(node.url('ws'));
    client.sendFrame(webSocketOpcode.binary, encodePacket(connectPacket(), 5));
    expect((await client.nextPacket()).firstByte >> 4).toBe(2);
    const packet = encodePacket(publishPacket({ topic: 't', payload: Buffer.alloc(900_000), qos: 1 }), 5);
    client.sendBytes(Buffer.concat([frame(webSocketOpcode.binary, packet.length, true), packet]));
    expect((await client.nextPacket()).firstByte >> 4).toBe(4);
    client.drop();
  });

  test('may come in 1,024 frames', async () => {
    const packet = encodePacket(connectPacket({ clientId: 'x'.repeat(200) }), 5);
    const client = await WebSocketClient.open(node.url('ws'));
    for (let at = 0; at < packet.length; at++) {
      client.sendBytes(frame(at === 0 ? webSocketOpcode.binary : 0, 1, at === packet.length - 1));
      client.sendBytes(packet.subarray(at, at + 1));
    }
    expect((await client.nextPacket()).firstByte >> 4).toBe(2);
    client.drop();
    const other = await WebSocketClient.open(node.url('ws'));
    other.sendFrame(webSocketOpcode.binary, packet.subarray(0, 1), false);
    for (let count = 1; count <= 1024; count++) other.sendFrame(webSocketOpcode.continuation, Buffer.alloc(0), false);
    await other.expectClosed();
  });
});

describe.each(['tcp', 'ws'] as const)('while a CONNECT waits, over %s', (kind) => {
  test('what follows it takes effect when the client is in, however much it is', async () => {
    const service = await HttpQuestionServer.start();
    const slow = await SmallNode.start({ 'httpAuth.signInUrl': service.url });
    try {
      const asked = Promise.withResolvers<void>();
      const answer = Promise.withResolvers<void>();
      service.reply = async () => {
        asked.resolve();
        await answer.promise;
        return { status: 200, body: { result: 'allow' } };
      };
      const client = await Conversation.open(slow.url(kind), 5);
      client.send(connectPacket({ userName: 'u', password: 'p' }));
      await asked.promise;
      const count = 200;
      for (let id = 1; id <= count; id++)
        client.send(publishPacket({ topic: 't', payload: Buffer.alloc(50_000), qos: 1, packetId: id }));
      answer.resolve();
      expect((await client.expect('connack')).reasonCode).toBe(0);
      for (let id = 1; id <= count; id++) await client.expectPacket({ type: 'puback', packetId: id });
    } finally {
      await slow.stop();
      await service.stop();
    }
  });
});
