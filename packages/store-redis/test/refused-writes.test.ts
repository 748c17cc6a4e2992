/** Redis that is there and does not write: its memory is full, or it lacks replicas. Seen to fail with errors told apart by the words that every error of a script ends with, and without `allow-oom`. */
import { type RedisServer, redisCall, startRedisCluster } from '@dunlin/testkit';
import { describe, expect, test } from 'vitest';
import { RedisLeases } from '../src/index.ts';
import { storeError } from '../src/reply-error.ts';
import { cleanups, durable, logOf, message, now, owner, redis, unavailable, watched } from './watched-store.ts';

async function usedBytes(server: RedisServer): Promise<number> {
  const info = String(await redisCall(server.url, ['INFO', 'memory']));
  return Number(/used_memory:(\d+)/.exec(info)?.[1]);
}

/** Less than what is used now: it has to be made room. */
async function fill(server: RedisServer): Promise<void> {
  await redisCall(server.url, ['CONFIG', 'SET', 'maxmemory-policy', 'noeviction']);
  await redisCall(server.url, ['CONFIG', 'SET', 'maxmemory', String((await usedBytes(server)) - 500_000)]);
}

const limits = { messagesMax: 1e9, bytesMax: 1e12 };

describe('the memory of Redis is full', () => {
  test('appends are refused and nothing of them is stored; what frees, moves on or renews goes on, and makes room', async () => {
    const server = await redis();
    const history: (string | null)[] = [];
    const { store } = watched({
      url: server.url,
      onWrites: (failure) => history.push(failure?.message.split(' ')[0] ?? null),
    });
    await store.open();
    const leases = new RedisLeases({ url: server.url });
    cleanups.push(() => leases.close());
    await leases.open();
    const reader = await durable(store, 'reader', 'a');
    const payload = 'x'.repeat(1000);
    for (let batch = 0; batch < 20; batch++)
      await store.logs.append(
        Array.from({ length: 100 }, () => message('a', payload)),
        now,
      );
    await fill(server);

    await expect(store.logs.append([message('a', 'refused')], now)).rejects.toMatchObject(unavailable);
    await expect(store.retained.set('t', Buffer.from('r'), Infinity)).rejects.toMatchObject(unavailable);
    expect(history).toEqual(['OOM']);
    expect(await leases.renew(owner, 60_000)).toBe(true);
    // An ephemeral client comes and goes.
    const claim = { clientId: 'passing', owner, cleanStart: true, sessionExpirySeconds: 0 };
    const { epoch } = await store.sessions.claim(claim, now);
    await store.sessions.release({ clientId: 'passing', epoch }, { sessionExpirySeconds: 0 }, now);
    // The reader comes back, reads, and says how far it is.
    const back = await store.sessions.claim(
      { ...claim, clientId: 'reader', cleanStart: false, sessionExpirySeconds: 3600 },
      now,
    );
    const key = { clientId: 'reader', epoch: back.epoch };
    expect((await logOf(store, 'a')).length).toBe(2000);
    await store.sessions.update(key, { cursors: [{ filter: 'a', acknowledged: 2000, above: [] }] });
    while ((await logOf(store, 'a')).length > 0) await store.logs.trim(limits, now);
    // A thread of Redis gives back what was unlinked, some time later.
    for (let isTaken = false; !isTaken; )
      isTaken = await store.logs.append([message('a', 'taken')], now).then(
        () => true,
        (error: unknown) => {
          expect(error).toMatchObject(unavailable);
          return false;
        },
      );
    expect(await logOf(store, 'a')).toEqual(['taken']);
    await store.sessions.release(key, {}, now);
    expect(reader.epoch).toBeLessThan(key.epoch);
  });
});

/** Seen to fail before: the limits that were trimmed by could not be kept, and the whole of it counted as failed. */
test('the memory of Redis stays full: trimming by new limits goes on', async () => {
  const server = await redis();
  const { store } = watched({ url: server.url });
  await store.open();
  await durable(store, 'reader', 'a');
  for (const text of ['1', '2', '3']) await store.logs.append([message('a', text)], now);
  await redisCall(server.url, ['CONFIG', 'SET', 'maxmemory', '1']);
  expect(await store.logs.trim({ messagesMax: 1, bytesMax: 1e9 }, now)).toBe(2);
  expect(await logOf(store, 'a')).toEqual(['3']);
});

test('too few replicas: a session that could not be written back is unavailable, not corrupt', async () => {
  const server = await redis();
  const { store } = watched({ url: server.url });
  await store.open();
  const key = await durable(store, 'c', 'a');
  await redisCall(server.url, ['CONFIG', 'SET', 'min-replicas-to-write', '1']);
  await expect(store.sessions.release(key, { sessionExpirySeconds: 1 }, now)).rejects.toMatchObject(unavailable);
  await expect(
    store.sessions.claim({ clientId: 'd', owner, cleanStart: true, sessionExpirySeconds: 0 }, now),
  ).rejects.toMatchObject(unavailable);
  await redisCall(server.url, ['CONFIG', 'SET', 'min-replicas-to-write', '0']);
  await store.sessions.release(key, { sessionExpirySeconds: 1 }, now);
  expect(await store.sessions.expire(now + 2000, 10)).toEqual(['c']);
});

/** Seen to fail before: the all-clear came when nobody had been refused for three seconds, though nobody had tried. */
test('that Redis accepts writes again is reported at once, also without other writes', async () => {
  const server = await redis();
  const history: (string | null)[] = [];
  const taken = Promise.withResolvers<void>();
  const { store } = watched({
    url: server.url,
    onWrites: (failure) => {
      history.push(failure?.message.split(' ')[0] ?? null);
      if (failure === null) taken.resolve();
    },
  });
  await store.open();
  await redisCall(server.url, ['CONFIG', 'SET', 'min-replicas-to-write', '1']);
  await expect(store.retained.set('t', Buffer.from('r'), Infinity)).rejects.toMatchObject(unavailable);
  // Longer than those three seconds.
  await expect.poll(() => refusedProbes(server), { timeout: 10_000 }).toBeGreaterThan(3);
  expect(history).toEqual(['NOREPLICAS']);
  await redisCall(server.url, ['CONFIG', 'SET', 'min-replicas-to-write', '0']);
  await taken.promise;
  expect(history).toEqual(['NOREPLICAS', null]);
});

async function refusedProbes(server: RedisServer): Promise<number> {
  const stats = await redisCall(server.url, ['INFO', 'commandstats']);
  return Number(/^cmdstat_set:.*rejected_calls=(\d+)/m.exec(stats)?.[1] ?? 0);
}

test('Redis Cluster: one server refuses, and the all-clear waits for that one', async () => {
  const { url, servers, stop } = await startRedisCluster();
  cleanups.push(stop);
  const history: (string | null)[] = [];
  const taken = Promise.withResolvers<void>();
  const { store } = watched({
    url,
    onWrites: (failure) => {
      history.push(failure?.message.split(' ')[0] ?? null);
      if (failure === null) taken.resolve();
    },
  });
  await store.open();
  await redisCall(servers[0].url, ['CONFIG', 'SET', 'min-replicas-to-write', '1']);
  const topics = Array.from({ length: 40 }, (_, number) => `t/${number}`);
  const results = await Promise.allSettled(
    topics.map((topic) => store.retained.set(topic, Buffer.from('r'), Infinity)),
  );
  expect(new Set(results.map(({ status }) => status)).size).toBe(2);
  await expect.poll(() => refusedProbes(servers[0]), { timeout: 10_000 }).toBeGreaterThan(3);
  expect(history).toEqual(['NOREPLICAS']);
  await redisCall(servers[0].url, ['CONFIG', 'SET', 'min-replicas-to-write', '0']);
  await taken.promise;
  await Promise.all(topics.map((topic) => store.retained.set(topic, Buffer.from('r'), Infinity)));
});

/** Errors as Redis 7.0 and Valkey 9 write them, within scripts and without. */
test.each([
  ["OOM command not allowed when used memory > 'maxmemory'. script: abc, on @user_script:62.", 'unavailable'],
  ["OOM command not allowed when used memory > 'maxmemory'.", 'unavailable'],
  ['NOREPLICAS Not enough good replicas to write. script: abc, on @user_script:7.', 'unavailable'],
  ["READONLY You can't write against a read only replica. script: abc, on @user_script:7.", 'unavailable'],
  ['MISCONF Redis is configured to save RDB snapshots, but … script: abc, on @user_script:7.', 'unavailable'],
  ['NOPERM User x has no permissions to run the unlink command script: abc, on @user_script:7.', 'unavailable'],
  [
    "ERR The user executing the script can't run this command or subcommand script: abc, on @user_script:9.",
    'unavailable',
  ],
  ['TRYAGAIN Multiple keys request during rehashing of slot', 'unavailable'],
  ['LOADING Redis is loading the dataset in memory', 'unavailable'],
  ['NOSCRIPT No matching script.', 'unavailable'],
  ['Connection is closed.', 'unavailable'],
  ['FENCED 12', 'fenced'],
  ['WRONGTYPE Operation against a key holding the wrong kind of value script: abc, on @user_script:7.', 'corrupt'],
  ['ERR user_script:12: bad argument #2 to unpack script: abc, on @user_script:12.', 'corrupt'],
])('"%s" is %s', (text, code) => {
  expect(storeError(new Error(text)).code).toBe(code);
});
