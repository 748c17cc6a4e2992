import { expect, test } from 'vitest';
import { Keys } from '../src/keys.ts';
import { durable, message, now, redis, watched } from './watched-store.ts';

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
