/** Sentinel and Cluster when a master dies, and when slots move. */
import { randomUUID } from 'node:crypto';
import { freePort, redisCall, startRedisCluster, startSentinel } from '@dunlin/testkit';
import { describe, expect, test } from 'vitest';
import { Keys } from '../src/keys.ts';
import {
  cleanups,
  countsOf,
  durable,
  logOf,
  message,
  now,
  unavailable,
  type Watched,
  watched,
} from './watched-store.ts';

describe('Sentinel', () => {
  test('the master dies: another is found and writes go on', async () => {
    const sentinel = await startSentinel();
    cleanups.push(() => sentinel.stop());
    const { store, status } = watched({ url: sentinel.url, durability: 'replicated' });
    await store.open();
    await durable(store, 'c', 'a');
    expect(await store.logs.append([message('a', 'before')], now)).toEqual([[1]]);
    await store.close();
    const after = watched({ url: sentinel.url });
    await after.store.open();
    await sentinel.master.kill();
    await after.status.is(false);
    await expect(after.store.sessions.count()).rejects.toMatchObject(unavailable);
    await after.status.is(true);
    expect(countsOf(await after.store.logs.append([message('a', 'after')], now))).toEqual([2]);
    expect(await logOf(after.store, 'a')).toEqual(['before', 'after']);
    expect(status.history).toEqual([true]);
  });

  /** Seen to fail without `failoverDetector`: Sentinel demotes the old master some 10 s later, and what it took until then is gone. */
  test('a planned failover: the old master is left as soon as there is a new one', async () => {
    const sentinel = await startSentinel();
    cleanups.push(() => sentinel.stop());
    const { store, status } = watched({ url: sentinel.url });
    await store.open();
    await durable(store, 'c', 'a');
    expect(await store.logs.append([message('a', 'before')], now)).toEqual([[1]]);
    const port = /:(\d+)\//.exec(sentinel.url)?.[1];
    let begun = performance.now();
    // Refused until Sentinel knows that the replica is in step.
    for (let isBegun = false; !isBegun; ) {
      begun = performance.now();
      isBegun = await redisCall(`redis://127.0.0.1:${port}`, ['SENTINEL', 'FAILOVER', 'main']).then(
        () => true,
        () => false,
      );
    }
    await status.is(false);
    await status.is(true);
    expect(performance.now() - begun).toBeLessThan(7000);
    expect(countsOf(await store.logs.append([message('a', 'after')], now))).toEqual([2]);
    expect(await logOf(store, 'a')).toEqual(['before', 'after']);
  });

  test('no Sentinel answers', async () => {
    const port = await freePort();
    const { store, logger } = watched({ url: `redis+sentinel://127.0.0.1:${port}/main` });
    store.open().catch(() => {});
    expect((await logger.line(/unreachable/)).fields.address).toBe(`main of 127.0.0.1:${port}`);
  });
});

describe('Cluster', () => {
  async function cluster(): Promise<Watched & Awaited<ReturnType<typeof startRedisCluster>> & { prefix: string }> {
    // A master that is gone must not stop the others from answering.
    const running = await startRedisCluster({
      appendOnly: true,
      args: ['--cluster-require-full-coverage', 'no'],
    });
    cleanups.push(() => running.stop());
    const prefix = randomUUID();
    const watching = watched({ url: running.url, prefix });
    await watching.store.open();
    return { ...watching, ...running, prefix };
  }

  test('one master goes: what it has is unavailable, the rest goes on, and it is found again', async () => {
    const { store, status, servers, prefix } = await cluster();
    const keys = new Keys(prefix);
    const filters = Array.from({ length: 60 }, (_, index) => `f/${index}`);
    await durable(store, 'c', ...filters);
    await servers[0].kill();
    await status.is(false);
    const results = await Promise.allSettled(filters.map((filter) => store.logs.append([message(filter, 'm')], now)));
    results.forEach((result, index) => {
      const served = keys.shardOf('l', filters[index]).slot >= Math.floor(16_384 / 3);
      if (served) expect(result).toMatchObject({ status: 'fulfilled', value: [[1]] });
      else expect(result).toMatchObject({ status: 'rejected', reason: unavailable });
    });
    expect(new Set(results.map((result) => result.status)).size).toBe(2);
    await servers[0].restart();
    await status.is(true);
    const again = await Promise.all(filters.map((filter) => store.logs.append([message(filter, 'n')], now)));
    expect(again.flatMap(countsOf)).toEqual(results.map((result) => (result.status === 'fulfilled' ? 2 : 1)));
  });

  /**
   * Calls confirmed by the second master are in doubt as well from then on. Seen to fail before: only the first was
   * told.
   */
  test('each master that goes is told, also while another one is away', async () => {
    const { status, servers } = await cluster();
    await servers[0].kill();
    await status.is(false);
    const next = status.next();
    await servers[1].kill();
    expect(await next).toBe(false);
    await Promise.all([servers[0].restart(), servers[1].restart()]);
    await status.is(true);
  });

  test('a slot that moved is found at its new master', async () => {
    const { store, servers, prefix } = await cluster();
    const topic = 'moved';
    const { slot } = new Keys(prefix).shardOf('r', topic);
    const ids = await Promise.all(
      servers.map(async ({ url }) => /[0-9a-f]{40}/.exec(await redisCall(url, ['CLUSTER', 'MYID']))?.[0] ?? ''),
    );
    const from = Math.floor((slot * 3) / 16_384);
    const to = (from + 1) % 3;
    const setSlot = (index: number, ...args: string[]) =>
      redisCall(servers[index].url, ['CLUSTER', 'SETSLOT', String(slot), ...args]);
    await setSlot(to, 'IMPORTING', ids[from]);
    await setSlot(from, 'MIGRATING', ids[to]);
    await setSlot(to, 'NODE', ids[to]);
    await setSlot(from, 'NODE', ids[to]);
    await expect(store.retained.set(topic, Buffer.from('r'), Infinity)).rejects.toMatchObject(unavailable);
    for (let stored = false; !stored; ) {
      await store.retained.set(topic, Buffer.from('r'), Infinity).then(
        () => {
          stored = true;
        },
        (error: unknown) => expect(error).toMatchObject(unavailable),
      );
    }
    expect((await store.retained.read('#', null, 10, now)).entries).toHaveLength(1);
  });

  test('no server answers', async () => {
    const port = await freePort();
    const { store, logger } = watched({ url: `redis+cluster://127.0.0.1:${port}` });
    store.open().catch(() => {});
    const line = await logger.line(/no server of the Redis Cluster answers/);
    expect(line.fields).toMatchObject({ address: `127.0.0.1:${port}` });
    expect(line.fields.error).toContain('ECONNREFUSED');
  });
});
