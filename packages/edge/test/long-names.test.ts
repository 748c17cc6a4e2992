/** Client identifiers, topics and filters that are too long are refused, and the limit itself is allowed. */
import { Conversation, publishPacket, subscribePacket } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SmallNode } from './support/small-node.ts';

/** Two bytes each in UTF-8: bytes are counted, not characters. */
const topicOf = (bytes: number): string => 'ä'.repeat(bytes / 2);
const allowed = topicOf(1024);
const tooLong = topicOf(1026);

let node: SmallNode;
beforeAll(async () => {
  node = await SmallNode.start();
});
afterAll(() => node.stop());

const open = (version: 4 | 5, kind: 'tcp' | 'ws' = 'tcp') => Conversation.open(node.url(kind), version);

describe.each(['tcp', 'ws'] as const)('over %s', (kind) => {
  test('client identifiers: 256 bytes are taken, more are refused with 0x85, or code 2', async () => {
    await (await open(5, kind)).connect({ clientId: topicOf(256) });
    const refused = await (await open(5, kind)).introduce({ clientId: topicOf(258) });
    expect(refused.reasonCode).toBe(0x85);
    expect(refused.properties.reasonString).toBe('a client identifier of 258 bytes; at most 256');
    const older = await open(4, kind);
    expect((await older.introduce({ clientId: topicOf(258) })).reasonCode).toBe(2);
    await older.expectClosed();
  });

  test('topics: 1,024 bytes are taken, more end the connection with 0x90, or without a word', async () => {
    const client = await open(5, kind);
    await client.connect();
    await client.subscribe(allowed, 1);
    client.sendPublish({ topic: allowed, payload: 'x', qos: 1 });
    expect((await client.answer('publish')).topic).toBe(allowed);
    client.sendPublish({ topic: tooLong, payload: 'x' });
    const { reasonCode, properties } = await client.answer('disconnect');
    expect([reasonCode, properties.reasonString]).toEqual([0x90, 'a topic name of 1026 bytes; at most 1024']);
    const older = await open(4, kind);
    await older.connect();
    older.sendPublish({ topic: tooLong, payload: 'x', qos: 1 });
    await older.expectClosed();
  });
});

test('user names that nobody has checked: 1,024 bytes are taken, more are refused with 0x86, or code 4', async () => {
  await (await open(5)).connect({ userName: allowed });
  const refused = await (await open(5)).introduce({ userName: tooLong });
  expect([refused.reasonCode, refused.properties.reasonString]).toEqual([
    0x86,
    'a user name of 1026 bytes; at most 1024',
  ]);
  expect((await (await open(4)).introduce({ userName: tooLong })).reasonCode).toBe(4);
});

test.each([
  ['behind an alias', publishPacket({ topic: tooLong, properties: { topicAlias: 1 } })],
  ['for later', publishPacket({ topic: `$delayed/1/${allowed}`, qos: 1 })],
  ['of QoS 2', publishPacket({ topic: tooLong, qos: 2 })],
])('a topic that is too long, %s, is refused', async (_what, packet) => {
  const client = await open(5);
  await client.connect();
  client.send(packet);
  expect((await client.expect('disconnect')).reasonCode).toBe(0x90);
});

test.each([5, 4] as const)('a will whose topic is too long is refused at CONNECT, MQTT level %i', async (version) => {
  const client = await open(version);
  const will = { topic: tooLong, payload: Buffer.alloc(0), qos: 0 as const, retain: false, properties: {} };
  if (version === 5) expect((await client.introduce({ will })).reasonCode).toBe(0x90);
  else client.sendConnect({ will });
  await client.expectClosed();
});

test.each([
  [5, 0x8f],
  [4, 0x80],
] as const)(
  'MQTT level %i: a filter that is too long is refused with %i, and others of the packet granted',
  async (version, code) => {
    const client = await open(version);
    await client.connect();
    const filters = [tooLong, allowed, `$share/g/${allowed}`, `${topicOf(1022)}/#`, `${topicOf(1024)}/#`];
    client.send(subscribePacket(filters.map((filter) => ({ filter }))));
    const { reasonCodes, properties } = await client.expect('suback');
    expect(reasonCodes).toEqual([code, 0, code, 0, code]);
    const reason = 'a filter of 1026 bytes; limits.topicBytesMax is 1024';
    expect(properties.reasonString).toBe(version === 5 ? reason : undefined);
  },
);
