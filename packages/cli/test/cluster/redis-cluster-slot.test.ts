import { redisCall, startRedisCluster } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import { useNodes } from './nodes-at.ts';

/**
 * Slot as `redis-cli --cluster reshard` leaves it when it is broken off: some keys of the slot are here and some may be
 * there, and Redis answers TRYAGAIN.
 */
test('Redis Cluster, a slot left open: what belongs to it waits, and its worker with it; the rest goes on, and all goes on when it is closed', {
  timeout: 60_000,
}, async () => {
  const redis = await startRedisCluster();
  try {
    await useNodes(redis.url, ['a', 'b'], async ([node, other]) => {
      await Promise.all([node.start(), other.start()]);
      const session = { cleanStart: false, sessionExpirySeconds: 3600 };
      const subscriber = await node.connect({ clientId: 'subscriber', ...session });
      for (const filter of ['held', 'other']) await subscriber.subscribe(filter, 1);
      const publisher = await node.connect({ clientId: 'publisher' });
      await publisher.publish({ topic: 'held', payload: '1', qos: 1 });
      expect(await subscriber.receiveTexts(1)).toEqual(['1']);

      const { slot, at } = await placeOf('held', redis.servers);
      expect((await placeOf('other', redis.servers)).slot).not.toBe(slot);
      const [from, to] = [redis.servers[at], redis.servers[(at + 1) % 3]];
      const idOf = async ({ url }: { url: string }) => (await redisCall(url, ['CLUSTER', 'MYID'])).split('\r\n')[1];
      await redisCall(to.url, ['CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(from)]);
      await redisCall(from.url, ['CLUSTER', 'SETSLOT', slot, 'MIGRATING', await idOf(to)]);
      publisher.sendPublish({ topic: 'held', payload: '2', qos: 1 }, 7);
      await node.says('messages could not be stored; their publishers wait');
      expect(node.output).toContain('TRYAGAIN');
      // Another worker has nothing to store in it. Of this one's later messages only those that nobody has to store are acknowledged.
      const elsewhere = await other.connect({ clientId: 'elsewhere' });
      await elsewhere.publish({ topic: 'other', payload: 'x', qos: 1 });
      expect(await subscriber.receiveTexts(1)).toEqual(['x']);
      const free = await node.connect({ clientId: 'free' });
      await free.subscribe('live', 1);
      const live = await node.connect({ clientId: 'live' });
      await live.publish({ topic: 'live', payload: 'y', qos: 1 });
      expect(await free.receiveTexts(1)).toEqual(['y']);
      free.sendPublish({ topic: 'other', payload: 'z', qos: 1 }, 8);
      expect((await node.readiness()).code).toBe(200);

      await redisCall(from.url, ['CLUSTER', 'SETSLOT', slot, 'STABLE']);
      await redisCall(to.url, ['CLUSTER', 'SETSLOT', slot, 'STABLE']);
      await publisher.expectPacket({ type: 'puback', packetId: 7 }, 15_000);
      await free.expectPacket({ type: 'puback', packetId: 8 }, 15_000);
      expect(await subscriber.receiveTexts(2)).toEqual(['2', 'z']);
    });
  } finally {
    await redis.stop();
  }
});

/** The slot of a filter's log, and which server has it. */
async function placeOf(filter: string, servers: readonly { url: string }[]): Promise<{ slot: string; at: number }> {
  for (const [at, { url }] of servers.entries()) {
    const [, , key] = (await redisCall(url, ['KEYS', `dunlin:*:cursors:${filter}`])).split('\r\n');
    if (key === undefined || key === '') continue;
    return { slot: (await redisCall(url, ['CLUSTER', 'KEYSLOT', key])).slice(1).trim(), at };
  }
  throw new RangeError(`no server has a log for ${filter}`);
}
