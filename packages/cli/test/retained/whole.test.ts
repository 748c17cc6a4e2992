/**
 * Retained messages arrive whole, whatever carries, keeps and reads them. Seen to fail where a replay waited for a full
 * socket to drain and the socket had taken all.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Conversation,
  publishPacket,
  type RedisServer,
  startRedis,
  subscribePacket,
  TestAuthority,
} from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ListenerNode } from '../listeners/listener-node.ts';

/**
 * Messages that are more than the sockets of loopback take in at once, and many times what the broker has in flight to
 * a client.
 */
const messagesPerFilter = 500;
const payload = Buffer.alloc(6000, 'x');
const filters = ['r/a/#', 'r/b/+', 'r/c/#'];

const directory = mkdtempSync(join(tmpdir(), 'dunlin-retained-'));
let authority: TestAuthority;
let redis: RedisServer;
beforeAll(async () => {
  authority = await TestAuthority.make();
  redis = await startRedis();
});
afterAll(async () => {
  await redis.stop();
  await authority.remove();
  rmSync(directory, { recursive: true });
});

/** Words of the command line for each store. */
const stores: Record<string, () => string[]> = {
  memory: () => ['--store', 'memory'],
  lmdb: () => ['--store', 'lmdb', '--data', directory],
  redis: () => ['--store', redis.url],
};

describe.each(Object.keys(stores))('%s', (store) => {
  let node: ListenerNode;
  beforeAll(async () => {
    const { cert, key } = await authority.issue('server');
    const listeners = ['tcp://127.0.0.1:0', `tls://127.0.0.1:0?cert=${cert}&key=${key}`, 'ws://127.0.0.1:0/mqtt'];
    node = await ListenerNode.start(listeners, stores[store]());
    await retainAll(node);
  });
  afterAll(() => node.stop());

  const kinds = [
    ['TCP', 0],
    ['TLS', 1],
    ['WebSocket', 2],
  ] as const;
  describe.each(kinds)('over %s', (_name, listener) => {
    test('all of it comes to a client that reads at once', async () => {
      const client = await subscriber(node, listener);
      expect(await topicsUntilAll(client)).toEqual(allTopics);
      await client.drop();
    });

    test('all of it comes to a client that reads in small pieces', async () => {
      const client = await subscriber(node, listener, (wire) => wire.pauseReading());
      // The broker has come to where it waits for the socket.
      const other = await Conversation.open(node.url(0));
      await other.connect({ clientId: 'other' });
      for (let i = 0; i < 50; i++) await other.expectNothing();
      expect(await topicsUntilAll(client, true)).toEqual(allTopics);
      await Promise.all([client.drop(), other.drop()]);
    });
  });
});

const allTopics = filters
  .flatMap((filter) => Array.from({ length: messagesPerFilter }, (_, i) => `${filter.slice(0, 3)}/${i}`))
  .sort();

async function retainAll(node: ListenerNode): Promise<void> {
  const publisher = await Conversation.open(node.url(0));
  await publisher.connect({ clientId: 'publisher' });
  let packetId = 0;
  for (const topic of allTopics) {
    packetId++;
    publisher.send(publishPacket({ topic, payload, qos: 1, packetId, retain: true }));
    if (packetId % 50 === 0) for (let i = 0; i < 50; i++) await publisher.expect('puback');
  }
  await publisher.drop();
}

async function subscriber(
  node: ListenerNode,
  listener: number,
  before: (wire: Conversation) => void = () => undefined,
): Promise<Conversation> {
  const wire = await Conversation.open(node.url(listener));
  await wire.connect({ clientId: 'subscriber' });
  before(wire);
  wire.send(subscribePacket(filters.map((filter) => ({ filter }))));
  return wire;
}

/** `slowly`: nothing is read while a packet is looked at. */
async function topicsUntilAll(wire: Conversation, slowly = false): Promise<string[]> {
  const topics: string[] = [];
  while (topics.length < allTopics.length) {
    if (slowly) wire.resumeReading();
    const packet = await wire.next();
    if (slowly) wire.pauseReading();
    if (packet.type === 'suback') continue;
    if (packet.type !== 'publish') throw new TypeError(`${packet.type} came after ${topics.length} messages`);
    topics.push(packet.topic);
  }
  return topics.sort();
}
