import { readFileSync } from 'node:fs';
import { type RedisServer, redisCall, startRedis, startRedisCluster } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import type { ClusterNode } from './cluster-node.ts';
import { useNodes } from './nodes-at.ts';

const timeout = 60_000;
const session = { cleanStart: false, sessionExpirySeconds: 3600 };

/** The lines that docs/security.md gives to administrators of Redis: one server, Redis Cluster. */
const [forServer, forCluster] = readFileSync(new URL('../../../../docs/security.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('ACL SETUSER dunlin reset on >PASSWORD ~'));

async function allow(servers: readonly RedisServer[], line: string, ...more: string[]): Promise<void> {
  for (const { url } of servers) await redisCall(url, [...line.split(' '), ...more]);
}

/** The URL for nodes. */
function asUser(url: string): string {
  return url.replace('//', '//dunlin:PASSWORD@');
}

test.each(['server', 'cluster'])(
  'a user of Redis that may do what docs/security.md says and nothing else: %s',
  { timeout },
  async (kind) => {
    const redis = kind === 'cluster' ? await startRedisCluster() : await startRedis();
    const servers = 'servers' in redis ? redis.servers : [redis];
    try {
      await allow(servers, kind === 'cluster' ? forCluster : forServer);
      await useNodes(asUser(redis.url), ['a', 'b'], async (nodes) => {
        await Promise.all(nodes.map((node) => node.start()));
        await story(nodes[0], nodes[1]);
        // All has been read, and is trimmed.
        await expect.poll(async () => (await keysLike(servers, 'log:orders')).length, { timeout: 20_000 }).toBe(0);
        for (const node of nodes) expect(await node.stop()).toBe(0);
        for (const node of nodes) expect(node.output).not.toContain('NOPERM');
      });
      for (const { url } of servers) expect(await redisCall(url, ['ACL', 'LOG'])).toBe('*0\r\n');
    } finally {
      await redis.stop();
    }
  },
);

async function keysLike(servers: readonly RedisServer[], name: string): Promise<string[]> {
  const replies = await Promise.all(servers.map(({ url }) => redisCall(url, ['KEYS', `dunlin:*:${name}`])));
  return replies.flatMap((reply) => reply.split('\r\n').filter((line) => line.startsWith('dunlin:')));
}

/** Sequence of requests that makes a node use Redis in every way that clients can see. */
async function story(a: ClusterNode, b: ClusterNode): Promise<void> {
  const publisher = await a.connect({ clientId: 'publisher', ...session });
  const reader = await b.connect({ clientId: 'reader', ...session });
  await reader.subscribe('orders', 2);
  await reader.drop();
  await publisher.publish({ topic: 'orders', payload: 'once', qos: 1 });
  await publisher.publish({ topic: 'orders', payload: 'exactly once', qos: 2 });
  await publisher.publish({ topic: 'state', payload: 'kept', qos: 1, retain: true });
  const back = await a.connect({ clientId: 'reader', ...session });
  expect(await back.receiveTexts(2)).toEqual(['once', 'exactly once']);
  await back.subscribe('state', 1);
  expect(await back.receiveTexts(1)).toEqual(['kept']);
  await publisher.publish({ topic: 'state', payload: '', qos: 1, retain: true });
  const taken = await b.connect({ clientId: 'reader', ...session });
  await back.expectPacket({ type: 'publish', topic: 'state' });
  await back.expectPacket({ type: 'disconnect', reasonCode: 0x8e });
  expect(await taken.receiveTexts(1)).toEqual(['']);

  const mortal = { topic: 'wills', payload: Buffer.from('gone'), qos: 1, retain: false, properties: {} } as const;
  await taken.subscribe('wills', 1);
  await taken.subscribe('later', 1);
  await (await a.connect({ clientId: 'mortal', will: mortal })).drop();
  expect(await taken.receiveTexts(1)).toEqual(['gone']);
  const waits = { ...mortal, payload: Buffer.from('later'), properties: { willDelayInterval: 1 } };
  await (await a.connect({ clientId: 'waits', ...session, will: waits })).drop();
  expect(await taken.receiveTexts(1)).toEqual(['later']);
  await publisher.publish({ topic: '$delayed/1/later', payload: 'delayed', qos: 1 });
  expect(await taken.receiveTexts(1)).toEqual(['delayed']);

  const member = await b.connect({ clientId: 'member', ...session });
  await member.subscribe('$share/g/jobs', 1);
  for (const payload of ['1', '2', '3']) await publisher.publish({ topic: 'jobs', payload, qos: 1 });
  expect(await member.receiveTexts(3)).toEqual(['1', '2', '3']);
  // Sessions end: by a CONNECT with clean start, by their expiry.
  await member.drop();
  await (await a.connect({ clientId: 'member', cleanStart: true })).drop();
  await (await b.connect({ clientId: 'publisher', cleanStart: false, sessionExpirySeconds: 1 })).drop();
  await taken.drop();
}

/** Seen to fail before: the node ended, with a stack. */
test('keys outside the pattern: the node says so and waits; a permission taken away while it runs: likewise', {
  timeout,
}, async () => {
  const redis = await startRedis();
  try {
    await allow([redis], forServer, 'resetkeys', '~other:*');
    await useNodes(asUser(redis.url), ['a'], async ([node]) => {
      node.launch();
      await node.says('the Redis user \\"dunlin\\" lacks permissions: it may not use the keys dunlin:*');
      expect((await node.readiness()).code).toBe(503);
      await allow([redis], forServer);
      await node.says('"event":"node.started"');
      await allow([redis], forServer, '-hset');
      const client = await node.open();
      client.sendConnect({ clientId: 'c', ...session });
      await client.expectPacket({ type: 'connack', reasonCode: 0x88 });
      await node.says('it may not run hset on the keys dunlin:*');
      await node.says('"event":"node.became-unready","reasons":"store unavailable');
      expect(await node.readiness()).toEqual({ code: 503, reasons: ['store'] });
      await allow([redis], forServer);
      await node.says('node.became-ready');
      await node.connect({ clientId: 'c', ...session });
    });
  } finally {
    await redis.stop();
  }
});
