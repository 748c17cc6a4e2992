/** Outages of Redis: it is not there, goes away, or does not answer (ARCHITECTURE.md, section 9). */
import { randomUUID } from 'node:crypto';
import { StoreError } from '@dunlin/broker';
import { FaultProxy, freePort, redisCall, startSentinel } from '@dunlin/testkit';
import { describe, expect, test } from 'vitest';
import { RedisLeases } from '../src/index.ts';
import {
  cleanups,
  durable,
  logOf,
  message,
  now,
  owner,
  redis,
  silenceMilliseconds,
  unavailable,
  watched,
} from './watched-store.ts';

describe('Redis is absent when the store is opened', () => {
  test('one line says where and why, and the store opens when Redis comes', async () => {
    const port = await freePort();
    const { store, logger, status } = watched({ url: `redis://127.0.0.1:${port}` });
    const opening = store.open();
    const line = await logger.line(/unreachable/);
    expect(line.fields.errorCode).toBe('ECONNREFUSED');
    expect(line).toMatchObject({ level: 'warn', fields: { address: `127.0.0.1:${port}` } });
    expect(line.fields.error).toContain('ECONNREFUSED');
    await expect(store.sessions.count()).rejects.toMatchObject(unavailable);
    await redis({ port });
    await opening;
    expect(await store.sessions.count()).toBe(0);
    expect(logger.lines.map(({ message }) => message)).toEqual([line.message, 'Redis is reachable again']);
    expect(status.history).toEqual([true]);
  });

  test('closing ends the attempts', async () => {
    const { store, logger } = watched({ url: `redis://127.0.0.1:${await freePort()}` });
    const opening = store.open();
    await logger.line(/unreachable/);
    await store.close();
    await expect(opening).rejects.toMatchObject({ code: 'closed' });
    await expect(store.sessions.count()).rejects.toMatchObject({ code: 'closed' });
  });

  test('leases are unavailable, and come with Redis', async () => {
    const server = await redis();
    const leases = new RedisLeases({ url: server.url, silenceMilliseconds });
    cleanups.push(() => leases.close());
    await leases.open();
    expect(await leases.renew(owner, 60_000)).toBe(true);
    await server.kill();
    await expect(leases.renew(owner, 60_000)).rejects.toMatchObject(unavailable);
    await expect(leases.evict(owner, false)).rejects.toMatchObject(unavailable);
    await expect(leases.end(owner)).rejects.toMatchObject(unavailable);
  });
});

describe('Redis refuses', () => {
  const password = 'right and secret';

  test('a password or a user: one line each, without the password, and it goes on when that is mended', async () => {
    const server = await redis({ password });
    const refused = [
      { credentials: 'default:wrong@', expected: /refused the password of the user "default"/ },
      { credentials: 'nobody:wrong@', expected: /refused the password of the user "nobody"/ },
      { credentials: '', expected: /asks for a password/ },
    ].map(({ credentials, expected }) => {
      const { store, logger } = watched({ url: `redis://${credentials}127.0.0.1:${server.port}` });
      return { store, logger, expected, opening: store.open() };
    });
    for (const { store, logger, expected } of refused) {
      const line = await logger.line(expected);
      expect(line).toMatchObject({ level: 'error', fields: { address: `127.0.0.1:${server.port}` } });
      await expect(store.sessions.count()).rejects.toMatchObject(unavailable);
    }
    await redisCall(server.url, ['ACL', 'SETUSER', 'nobody', 'on', 'nopass', '~*', '+@all']);
    await redisCall(server.url, ['ACL', 'SETUSER', 'default', 'on', 'nopass', '~*', '+@all']);
    for (const { opening, logger } of refused) {
      await opening;
      expect(logger.lines.map(({ level }) => level)).toEqual(['error', 'info']);
      expect(JSON.stringify(logger.lines)).not.toContain('wrong');
    }
  });

  test.each([
    ['one of a Cluster, asked as if it were alone', true, 'redis', /use redis\+cluster/],
    ['one alone, asked as a Cluster', false, 'redis+cluster', /does not answer|no server of the Redis Cluster/],
  ])('%s', async (_what, isCluster, scheme, expected) => {
    const server = await redis({
      args: isCluster ? ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())] : [],
    });
    const { store, logger } = watched({ url: `${scheme}://127.0.0.1:${server.port}` });
    store.open().catch(() => {});
    await logger.line(expected);
  });

  test('a replica is not written to', async () => {
    const { master, replica, ...sentinel } = await startSentinel();
    cleanups.push(() => sentinel.stop());
    const { store, logger } = watched({ url: replica.url });
    store.open().catch(() => {});
    expect((await logger.line(/is a replica/)).level).toBe('error');
    expect(master.port).not.toBe(replica.port);
  });

  test('durability fsync needs a server that has it', async () => {
    const server = await redis({ appendOnly: true });
    const { store, logger } = watched({ url: server.url, durability: 'fsync' });
    store.open().catch(() => {});
    const line = await logger.line(/fsync/);
    expect(line.fields.errorCode).toBe('server-refused');
    expect(line.level).toBe('error');
    expect(line.message).toMatch(/Redis 7\.0\.\d+ lacks: use Redis 7\.2 or Valkey, or "appendfsync always"/);
  });

  test('durability replicated without a replica confirms nothing', async () => {
    const server = await redis();
    const { store } = watched({ url: server.url, durability: 'replicated', replicas: 1 });
    await store.open();
    await expect(store.retained.set('t', Buffer.from('r'), Infinity)).rejects.toMatchObject(unavailable);
    expect(await store.retained.count()).toBe(1); // Nothing is known: here it was done.
  });
});

describe('Redis goes away', () => {
  test('calls are refused soon, and what was acknowledged is there after a restart', async () => {
    const server = await redis({ appendOnly: true });
    const { store, logger, status } = watched({ url: server.url, prefix: randomUUID() });
    await store.open();
    const key = await durable(store, 'c', 'a');
    await store.retained.set('t', Buffer.from('kept'), Infinity);
    const acknowledged: string[] = [];
    const enough = Promise.withResolvers<void>();
    let failure: unknown = null;
    const writer = (async () => {
      for (let number = 0; failure === null; number++) {
        await store.logs.append([message('a', `m${number}`)], now).then(
          () => acknowledged.push(`m${number}`),
          (error: unknown) => {
            failure = error;
          },
        );
        if (number === 50) enough.resolve();
      }
    })();
    await enough.promise;
    await server.kill();
    await writer;
    expect(failure).toBeInstanceOf(StoreError);
    expect(failure).toMatchObject(unavailable);
    await status.is(false);
    await expect(store.sessions.update(key, {})).rejects.toMatchObject(unavailable);
    await server.restart();
    await status.is(true);
    const stored = await logOf(store, 'a');
    expect(stored.slice(0, acknowledged.length)).toEqual(acknowledged);
    expect(stored.length - acknowledged.length).toBeLessThanOrEqual(1);
    expect((await store.retained.read('#', null, 9, now)).entries).toHaveLength(1);
    expect((await durable(store, 'c')).epoch).toBeGreaterThan(key.epoch);
    expect(logger.count(/unreachable/)).toBe(1);
    expect(logger.count(/reachable again/)).toBe(1);
    expect(status.history).toEqual([true, false, true]);
  });

  test('a connection to a server that does not answer is dropped within the time-out, also without calls', async () => {
    const server = await redis();
    const { store, status } = watched({ url: server.url });
    await store.open();
    server.pause();
    const asked = performance.now();
    await expect(store.sessions.count()).rejects.toMatchObject(unavailable);
    expect(performance.now() - asked).toBeLessThan(3 * silenceMilliseconds);
    await status.is(false);
    await expect(store.sessions.count()).rejects.toMatchObject(unavailable);
    server.resume();
    await status.is(true);
    expect(await store.sessions.count()).toBe(0);
    server.pause();
    await status.is(false); // By its own asking.
    server.resume();
    await status.is(true);
  });

  /** Seen to end the process, as a rejection that nobody waits for, when the two questions of a shard are waited for one after the other. */
  test('what asks several things at once is refused as one', async () => {
    const server = await redis();
    const proxy = await FaultProxy.start({ port: server.port });
    cleanups.push(() => proxy.close());
    const { store } = watched({ url: `redis://127.0.0.1:${proxy.port}`, prefix: randomUUID() });
    await store.open();
    proxy.freeze();
    await expect(store.logs.trim({ messagesMax: 1, bytesMax: 1 }, now)).rejects.toMatchObject(unavailable);
  });

  /** Seen to fail when the client ends the connection in its own way, and when its socket is destroyed and not reset. */
  test.each([2_097_152, 3_145_728, 4_194_304])(
    'what a connection still held when it was given up does not arrive any more: %i bytes',
    async (size) => {
      const server = await redis();
      const proxy = await FaultProxy.start({ port: server.port });
      cleanups.push(() => proxy.close());
      const prefix = randomUUID();
      const { store, status } = watched({ url: `redis://127.0.0.1:${proxy.port}`, prefix });
      const { store: direct } = watched({ url: server.url, prefix });
      await Promise.all([store.open(), direct.open()]);
      proxy.freeze();
      // One command, larger than what the proxy's system takes in while the proxy does not read (1 MiB on some machines), and small enough for that of the store to hold the rest.
      await expect(store.retained.set('t', Buffer.alloc(size), Infinity)).rejects.toMatchObject(unavailable);
      await direct.retained.set('t', Buffer.from('new'), Infinity);
      proxy.thaw();
      await status.is(true);
      await expect.poll(() => proxy.connections).toBe(1);
      const { entries } = await direct.retained.read('t', null, 1, now);
      expect(entries.map(({ record }) => record.length)).toEqual(['new'.length]);
    },
  );

  test('scripts that the server has lost are brought again', async () => {
    const server = await redis();
    const { store, status, logger } = watched({ url: server.url });
    await store.open();
    await redisCall(server.url, ['SCRIPT', 'FLUSH']);
    await expect(durable(store, 'c', 'a')).rejects.toMatchObject(unavailable);
    await status.is(true);
    await durable(store, 'c', 'a');
    expect(await store.logs.durableFilters()).toEqual([{ filter: 'a', lastSequence: 0 }]);
    expect(logger.lines.map(({ message }) => message)).toEqual([
      'the node is connected to Redis',
      'the connection to Redis has ended, and is made again: Redis has lost the scripts of the store, and is given them again',
      'Redis can be used again',
    ]);
  });

  /** Seen to fail before: nothing was said of it. */
  test('a memory without a bound is warned of once, and that it has one now', async () => {
    const server = await redis({ args: ['--maxmemory', '0'] });
    const { store, logger } = watched({ url: server.url });
    await store.open();
    const line = await logger.line(/as much memory as there is/);
    expect(line).toMatchObject({ level: 'warn', fields: { address: new URL(server.url).host } });
    expect(Number(line.fields?.machineBytes)).toBeGreaterThan(1e6);
    await redisCall(server.url, ['CONFIG', 'SET', 'maxmemory', '100mb']);
    await logger.line(/the memory of Redis has a limit/);
    expect(logger.count(/as much memory as there is/)).toBe(1);
  });

  /** Seen to fail before: it was looked at when a node connected for the first time, and never again. */
  test('a policy that evicts, set while the store is in use', async () => {
    const server = await redis();
    const history: boolean[] = [];
    const { store, logger } = watched({ url: server.url, onEviction: (mayEvict) => history.push(mayEvict) });
    await store.open();
    await redisCall(server.url, ['CONFIG', 'SET', 'maxmemory', '100mb']);
    await redisCall(server.url, ['CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru']);
    expect(await logger.line(/may evict/)).toMatchObject({ level: 'warn', fields: { policy: 'allkeys-lru' } });
    await redisCall(server.url, ['CONFIG', 'SET', 'maxmemory-policy', 'noeviction']);
    await logger.line(/evicts nothing any more/);
    expect(history).toEqual([true, false]);
    expect(logger.count(/may evict/)).toBe(1);
  });
});
