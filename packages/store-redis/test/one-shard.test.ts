import { redisCall } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import { Keys } from '../src/keys.ts';
import { durable, message, now, redis, subscribe, watched } from './watched-store.ts';

test('all logs of one shard are trimmed, and all its groups listed, also when they are many', async () => {
  const server = await redis();
  const { store } = watched({ url: server.url });
  await store.open();
  const keys = new Keys('any');
  const filters: string[] = [];
  for (let number = 0; filters.length < 1200; number++) {
    const filter = `f/${number}`;
    if (keys.shardOf('l', filter).index === 0) filters.push(filter);
  }
  const limits = { messagesMax: 1, bytesMax: 1000 };
  // From now on those are trimmed that changed.
  await store.logs.trim(limits, now);
  await durable(store, 'c', ...filters, ...filters.map((filter) => `$share/g/${filter}`));
  for (const payload of ['1', '2'])
    await store.logs.append(
      filters.map((filter) => message(filter, payload)),
      now,
    );
  expect(await store.logs.trim(limits, now)).toBe(filters.length);
  expect(await store.logs.trim(limits, now)).toBe(0);
  expect(await store.groups.list()).toHaveLength(filters.length);
});

/** Filters whose logs lie in the first shard. */
function inFirstShard(keys: Keys, prefix: string, count: number): string[] {
  const filters: string[] = [];
  for (let number = 0; filters.length < count; number++) {
    const filter = `${prefix}/${number}`;
    if (keys.shardOf('l', filter).index === 0) filters.push(filter);
  }
  return filters;
}

test('filters that come and go leave some 1,000 last numbers in a shard, and none is given twice', async () => {
  const server = await redis();
  const { store } = watched({ url: server.url });
  await store.open();
  const keys = new Keys('dunlin');
  const ends = `${keys.l[0].start}ends`;
  const key = await durable(store, 'c');
  const given = new Map<string, number>();
  let most = 0;
  for (let round = 0; round < 6; round++) {
    // The second half comes in the next round again.
    const filters = [...inFirstShard(keys, `f${round}`, 400), ...inFirstShard(keys, `f${round + 1}`, 400)];
    await subscribe(store, key, ...filters);
    for (let times = 0; times < 3; times++) {
      const numbers = await store.logs.append(
        filters.map((filter) => message(filter, 'x')),
        now,
      );
      filters.forEach((filter, index) => {
        expect(numbers[index][0]).toBeGreaterThan(given.get(filter) ?? 0);
        given.set(filter, numbers[index][0]);
      });
    }
    await store.sessions.unsubscribe(key, filters);
    most = Math.max(most, Number((await redisCall(server.url, ['HLEN', ends])).slice(1)));
  }
  expect(given.size).toBe(2800);
  expect(most).toBeGreaterThan(700);
  expect(most).toBeLessThanOrEqual(1025);
});
