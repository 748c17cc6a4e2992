/** Redis is there and takes no writes for a while: what clients leave behind meanwhile is written afterwards. */
import { mkdir, rmdir } from 'node:fs/promises';
import { freePort, type RedisServer, redisCall } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import { Cluster } from './cluster.ts';

interface Refusal {
  /** The first word of the error. */
  readonly word: string;
  /** Log line of the node then, and the reason why it is not ready. */
  readonly says: string;
  readonly reasons: string[];
  begin(redis: RedisServer): Promise<void>;
  end(redis: RedisServer): Promise<void>;
}

const configure = (redis: RedisServer, ...words: string[]) => redisCall(redis.url, ['CONFIG', 'SET', ...words]);

/** A snapshot cannot take the place of a directory. */
async function snapshotFile(redis: RedisServer): Promise<string> {
  const [, , , , directory] = (await redisCall(redis.url, ['CONFIG', 'GET', 'dir'])).split('\r\n');
  return `${directory}/dump.rdb`;
}

async function snapshotIs(redis: RedisServer, status: 'ok' | 'err'): Promise<void> {
  await redisCall(redis.url, ['BGSAVE']);
  await expect
    .poll(() => redisCall(redis.url, ['INFO', 'persistence']), { timeout: 10_000 })
    .toMatch(new RegExp(`rdb_bgsave_in_progress:0[^]*rdb_last_bgsave_status:${status}`));
}

const refusals: Refusal[] = [
  {
    word: 'NOREPLICAS',
    says: 'redis.writes-refused',
    reasons: ['store-writes'],
    begin: async (redis) => void (await configure(redis, 'min-replicas-to-write', '1')),
    end: async (redis) => void (await configure(redis, 'min-replicas-to-write', '0')),
  },
  {
    word: 'MISCONF',
    says: 'redis.writes-refused',
    reasons: ['store-writes'],
    async begin(redis) {
      await configure(redis, 'save', '3600 1000000');
      await mkdir(await snapshotFile(redis));
      await snapshotIs(redis, 'err');
    },
    async end(redis) {
      await rmdir(await snapshotFile(redis));
      await snapshotIs(redis, 'ok');
    },
  },
  {
    word: 'READONLY',
    says: 'this Redis is a replica',
    reasons: ['store', 'store-writes'],
    begin: async (redis) => void (await redisCall(redis.url, ['REPLICAOF', '127.0.0.1', String(await freePort())])),
    end: async (redis) => void (await redisCall(redis.url, ['REPLICAOF', 'NO', 'ONE'])),
  },
];

/** Seen to fail where such a refusal counts as "corrupt": the session stays owned for ever, and its log with it, and ephemeral clients are refused. */
test.each(refusals)(
  '$word: sessions are written back afterwards, end when they were to, and live on if they were to',
  {
    timeout: 60_000,
  },
  async ({ word, says, reasons, begin, end }) => {
    await using cluster = await Cluster.start({ nodes: 1 });
    const [node] = cluster.nodes;
    const { redis } = cluster;
    const leaver = await node.connect({ clientId: 'leaver', cleanStart: false, sessionExpirySeconds: 2 });
    await leaver.subscribe('a', 1);
    const stayer = await node.connect({ clientId: 'stayer', cleanStart: false, sessionExpirySeconds: 3600 });
    await stayer.subscribe('b', 1);
    const publisher = await node.connect({ clientId: 'publisher' });
    await begin(redis);
    await leaver.drop();
    await stayer.drop();
    await node.says('session.write-back-failed');
    expect(node.lines('session.write-back-failed')[0]).toMatchObject({ again: true });
    expect(node.output).toContain(`Redis: ${word} `);
    await node.says(says);
    await expect.poll(async () => (await node.readiness()).reasons, { timeout: 10_000 }).toEqual(reasons);
    const ephemeral = await node.connect({ clientId: 'ephemeral' });
    await ephemeral.subscribe('live', 1);
    await publisher.publish({ topic: 'live', payload: 'x', qos: 1 });
    expect(await ephemeral.receiveTexts(1)).toEqual(['x']);

    await end(redis);
    await node.says('node.became-ready');
    const expiresAt = Date.now() + 3_600_000;
    // As what had its cursor goes, its log goes.
    await expect.poll(() => keysOf(redis, 'session:leaver', 'log:a', 'cursors:a'), { timeout: 15_000 }).toEqual([]);
    const [key] = await keysOf(redis, 'session:stayer');
    const stored = await redisCall(redis.url, ['HMGET', key, 'o', 'a']);
    const [, , owner, , until] = stored.split('\r\n');
    expect(owner).toBe('');
    expect(Math.abs(Number(until) - expiresAt)).toBeLessThan(60_000);
    await publisher.publish({ topic: 'b', payload: 'kept', qos: 1 });
    const back = await node.connect({ clientId: 'stayer', cleanStart: false, sessionExpirySeconds: 3600 });
    expect(await back.receiveTexts(1)).toEqual(['kept']);
  },
);

async function keysOf(redis: RedisServer, ...names: string[]): Promise<string[]> {
  const replies = await Promise.all(names.map((name) => redisCall(redis.url, ['KEYS', `dunlin:*:${name}`])));
  return replies.flatMap((reply) => reply.split('\r\n').filter((line) => line.startsWith('dunlin:')));
}

/** Seen to fail before: the policy was looked at when a node connected for the first time. */
test('a policy that evicts, set while nodes run, is said and counted, and takes no node out', {
  timeout: 60_000,
}, async () => {
  await using cluster = await Cluster.start({ nodes: 1 });
  const [node] = cluster.nodes;
  const metric = async () => (await node.metrics()).get('dunlin_store_noeviction');
  await configure(cluster.redis, 'maxmemory', '1gb');
  expect(await metric()).toBe(1);
  await configure(cluster.redis, 'maxmemory-policy', 'allkeys-lru');
  await node.says('Redis may evict stored sessions and messages');
  await expect.poll(metric, { timeout: 10_000 }).toBe(0);
  expect((await node.readiness()).code).toBe(200);
  await configure(cluster.redis, 'maxmemory-policy', 'noeviction');
  await node.says('Redis evicts nothing any more');
  await expect.poll(metric, { timeout: 10_000 }).toBe(1);
});

/** Renewing a lease is a write, and so is an eviction: while all are refused, leases run out and nobody can be held for dead. */
test('too few replicas: nodes whose leases have run out go on, and one that dies meanwhile is evicted afterwards', {
  timeout: 60_000,
}, async () => {
  await using cluster = await Cluster.start({ nodes: 2 });
  const [a, b] = cluster.nodes;
  const { redis } = cluster;
  const will = { topic: 'wills', payload: Buffer.from('gone'), qos: 1, retain: false, properties: {} } as const;
  await b.connect({ clientId: 'mortal', will });
  const watcher = await a.connect({ clientId: 'watcher' });
  await watcher.subscribe('wills', 1);
  const subscriber = await b.connect({ clientId: 'subscriber' });
  await subscriber.subscribe('live', 1);
  const publisher = await a.connect({ clientId: 'publisher' });
  const leases = () => redisCall(redis.url, ['KEYS', 'dunlin:{lease:*}:live']);
  expect(await leases()).toMatch(/^\*2\r\n/);
  await configure(redis, 'min-replicas-to-write', '1');
  for (const node of [a, b]) await node.says('lease.renew-failed');
  await expect.poll(leases, { timeout: 10_000 }).toBe('*0\r\n');
  // Each hears the other over NATS; messages between them are acknowledged.
  await publisher.publish({ topic: 'live', payload: 'x', qos: 1 });
  expect(await subscriber.receiveTexts(1)).toEqual(['x']);
  await b.kill();
  await publisher.publish({ topic: 'nobody', payload: 'x', qos: 1 });
  await configure(redis, 'min-replicas-to-write', '0');
  await a.says('endpoint.died');
  expect(await watcher.receiveTexts(1)).toEqual(['gone']);
  await expect.poll(leases, { timeout: 10_000 }).toMatch(/^\*1\r\n/);
  for (const node of [a, b]) {
    expect(node.lines('worker.replaced')).toEqual([]);
    expect(node.output).not.toContain('durable sessions are given up');
  }
  expect(a.lines('endpoint.died')).toHaveLength(1);
});
