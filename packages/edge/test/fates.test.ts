/** Fates of the last messages, each brought about by real clients. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversation, connectPacket, type Introduction } from '@dunlin/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from './support/api-client.ts';
import { SmallNode } from './support/small-node.ts';

const secret = 'a-key-that-a-secret-of-kubernetes-holds';
let directory: string;
let node: SmallNode;
const open: Conversation[] = [];
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-fates-'));
  writeFileSync(join(directory, 'key'), secret);
  const rules = "- { deny: publish, client: denied, topics: '#' }\n- { allow: all, anonymous: true, topics: '#' }\n";
  writeFileSync(join(directory, 'rules.yaml'), rules);
  node = await SmallNode.start({
    'admin.keyFile': join(directory, 'key'),
    'authorization.rulesFile': join(directory, 'rules.yaml'),
    'limits.fatesSampledPercent': '100',
    'limits.queuedMessagesMax': '1',
  });
});
afterAll(async () => {
  for (const client of open) await client.drop();
  await node?.stop();
  rmSync(directory, { recursive: true });
});

async function client(clientId: string, more: Introduction = {}): Promise<Conversation> {
  const conversation = await Conversation.open(node.url('tcp'));
  open.push(conversation);
  await conversation.connect({ clientId, ...more });
  return conversation;
}

async function fates(query: string) {
  const { status, body } = await ask(node.node.adminUrl as string, `/api/v1/fates?${query}`, { key: secret });
  expect(status).toBe(200);
  return body.fates;
}

test('a message that is delivered, of both ends', async () => {
  const [reader, writer] = [await client('reader'), await client('writer')];
  await reader.subscribe('plain', 1);
  for (const qos of [0, 1] as const) {
    writer.sendPublish({ topic: 'plain', qos });
    await reader.answer('publish');
  }
  const found = await fates('client=reader');
  expect(found).toMatchObject([
    { fate: 'delivered', topic: 'plain', qos: 1, client: 'reader', publisher: 'writer', node: 'test' },
    { fate: 'delivered', topic: 'plain', qos: 0, client: 'reader', publisher: 'writer' },
  ]);
  expect(await fates('client=writer&limit=1')).toEqual(found.slice(0, 1));
});

test('nobody has subscribed', async () => {
  const writer = await client('lonely');
  await writer.publish({ topic: 'nobody/0', qos: 1 });
  writer.sendPublish({ topic: 'nobody/1' });
  await writer.publish({ topic: 'nobody/2', qos: 1 });
  const found = await fates('filter=nobody/%2B');
  expect(found.map(({ topic, fate }: { topic: string; fate: string }) => `${topic} ${fate}`)).toEqual([
    'nobody/2 no-subscriber',
    'nobody/1 no-subscriber',
    'nobody/0 no-subscriber',
  ]);
});

test('the rules refuse it', async () => {
  const denied = await client('denied');
  denied.sendPublish({ topic: 'denied', qos: 1 });
  await denied.answer('puback');
  expect(await fates('client=denied')).toMatchObject([
    { fate: 'not-authorized', topic: 'denied', publisher: 'denied' },
  ]);
});

test('it is too large for the client', async () => {
  const small = await Conversation.open(node.url('tcp'));
  open.push(small);
  small.send(connectPacket({ clientId: 'small', properties: { maximumPacketSize: 50 } }));
  await small.answer('connack');
  await small.subscribe('small', 0);
  const writer = await client('small-writer');
  writer.sendPublish({ topic: 'small', payload: 'x'.repeat(100) });
  writer.sendPublish({ topic: 'small', payload: 'x' });
  await small.answer('publish');
  expect((await fates('client=small')).map(({ fate }: { fate: string }) => fate)).toEqual([
    'delivered',
    'packet-too-large',
  ]);
});

test('the queue of the client is full', async () => {
  const slow = await client('slow', { receiveMaximum: 1 });
  await slow.subscribe('slow', 1);
  const writer = await client('slow-writer');
  for (let at = 0; at < 3; at++) await writer.publish({ topic: 'slow', qos: 1 });
  expect(await fates('client=slow')).toMatchObject([
    { fate: 'queue-full', topic: 'slow', qos: 1, publisher: 'slow-writer' },
    { fate: 'delivered' },
  ]);
});

test('a filter that is none is refused', async () => {
  const wrong = await ask(node.node.adminUrl as string, '/api/v1/fates?filter=a/%23/b', { key: secret });
  expect(wrong).toMatchObject({ status: 400 });
  expect(wrong.body.detail).toContain('filter: given "a/#/b", allowed: a topic filter');
});
