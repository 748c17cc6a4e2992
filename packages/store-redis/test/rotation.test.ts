/** Passwords and certificates that are changed while a store is connected: it follows by itself at its next connection. */
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { redisCall, startRedis, startRedisCluster, startSentinel, TestAuthority } from '@dunlin/testkit';
import { describe, expect, test } from 'vitest';
import { RedisCommands, type RedisCredentials, RedisLeases, type RedisStoreOptions } from '../src/index.ts';
import { Status } from './recording-logger.ts';
import { cleanups, durable, logOf, message, now, owner, type Watched, watched } from './watched-store.ts';

/** A store whose credentials a test may change. */
function changing(options: RedisStoreOptions, shown: RedisCredentials): Watched {
  return watched({ ...options, credentials: async () => shown });
}

async function cut(url: string): Promise<void> {
  await redisCall(url, ['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']);
}

const withPassword = (url: string, password: string): string =>
  url.replace(/^redis:\/\/([^@]*@)?/, `redis://:${password}@`);

describe('a password', () => {
  test('of one server', async () => {
    const redis = await startRedis({ password: 'first' });
    cleanups.push(() => redis.stop());
    const shown = { password: 'first' };
    const { store, status, logger } = changing({ url: redis.url }, shown);
    const [ofLeases, ofCommands] = [new Status(), new Status()];
    const more = { url: redis.url, credentials: async () => shown };
    const leases = new RedisLeases({ ...more, onStatus: ofLeases.set });
    const commands = new RedisCommands({ ...more, onStatus: ofCommands.set });
    cleanups.push(
      () => leases.close(),
      async () => commands.close(),
    );
    commands.start();
    await Promise.all([store.open(), leases.open(), commands.connected]);
    await durable(store, 'c', 'a');
    await redisCall(redis.url, ['CONFIG', 'SET', 'requirepass', 'second']);
    await cut(withPassword(redis.url, 'second'));
    await logger.line(/refused the password/);
    expect(status.history).toEqual([true, false]);
    shown.password = 'second';
    for (const each of [status, ofLeases, ofCommands]) {
      await each.is(true);
      expect(each.history).toEqual([true, false, true]);
    }
    await store.logs.append([message('a', 'after')], now);
    expect(await logOf(store, 'a')).toEqual(['after']);
    expect(await leases.renew(owner, 1000)).toBe(true);
    expect(await commands.call('c', 'EXISTS', ['c'])).toBe(0);
    expect(logger.count(/can be used again/)).toBe(1);
  });

  test('of a master and of the Sentinel that names it', async () => {
    const sentinel = await startSentinel();
    cleanups.push(() => sentinel.stop());
    const shown: RedisCredentials = {};
    const { store, status } = changing({ url: sentinel.url }, shown);
    await store.open();
    await durable(store, 'c', 'a');
    const sentinelUrl = sentinel.sentinel.url;
    await redisCall(sentinelUrl, ['SENTINEL', 'SET', 'main', 'auth-pass', 'of-master']);
    await redisCall(sentinelUrl, ['ACL', 'SETUSER', 'default', 'resetpass', '>of-sentinel']);
    await redisCall(sentinel.replica.url, ['CONFIG', 'SET', 'masterauth', 'of-master']);
    await redisCall(sentinel.master.url, ['CONFIG', 'SET', 'requirepass', 'of-master']);
    Object.assign(shown, { password: 'of-master', sentinelPassword: 'of-sentinel' });
    await cut(withPassword(sentinelUrl, 'of-sentinel'));
    await cut(withPassword(sentinel.master.url, 'of-master'));
    await status.is(false);
    await status.is(true);
    await store.logs.append([message('a', 'after')], now);
    expect(await logOf(store, 'a')).toEqual(['after']);
  });

  /** Seen to fail when clients kept what they showed Sentinel first: nobody listened there any more. */
  test('of Sentinel alone, which ends its connections: a planned failover is still heard of at once', async () => {
    const sentinel = await startSentinel();
    cleanups.push(() => sentinel.stop());
    const shown: RedisCredentials = {};
    const { store, status } = changing({ url: sentinel.url }, shown);
    await store.open();
    await durable(store, 'c', 'a');
    const { url } = sentinel.sentinel;
    const ask = (...args: string[]): Promise<string> => redisCall(url, args);
    // What listens has its say a moment after the master is connected.
    while (!/ sub=1 /.test(await ask('CLIENT', 'LIST'))) await new Promise((resolve) => setImmediate(resolve));
    await ask('ACL', 'SETUSER', 'default', 'resetpass', '>of-sentinel');
    const askAgain = (...args: string[]): Promise<string> => redisCall(withPassword(url, 'of-sentinel'), args);
    await askAgain('CLIENT', 'KILL', 'TYPE', 'pubsub');
    shown.sentinelPassword = 'of-sentinel';
    while (!/ sub=1 /.test(await askAgain('CLIENT', 'LIST'))) await new Promise((resolve) => setImmediate(resolve));
    await status.is(true);
    let begun = performance.now();
    // Refused until Sentinel knows that the replica is in step.
    for (let isBegun = false; !isBegun; ) {
      begun = performance.now();
      isBegun = await askAgain('SENTINEL', 'FAILOVER', 'main').then(
        () => true,
        () => false,
      );
    }
    await status.is(false);
    await status.is(true);
    expect(performance.now() - begun).toBeLessThan(7000);
    await store.logs.append([message('a', 'after')], now);
    expect(await logOf(store, 'a')).toEqual(['after']);
  });

  test('of all servers of a Cluster, one after the other', async () => {
    const cluster = await startRedisCluster({ password: 'first' });
    cleanups.push(() => cluster.stop());
    const shown = { password: 'first' };
    const url = cluster.url.replace('redis+cluster://', 'redis+cluster://:first@');
    const { store, status } = changing({ url }, shown);
    await store.open();
    const filters = Array.from({ length: 20 }, (_, index) => `f/${index}`);
    await durable(store, 'c', ...filters);
    shown.password = 'second';
    for (const server of cluster.servers) {
      await redisCall(server.url, ['CONFIG', 'SET', 'requirepass', 'second']);
      await cut(withPassword(server.url, 'second'));
      await status.is(false);
      await status.is(true);
    }
    for (const filter of filters) await store.logs.append([message(filter, 'after')], now);
    for (const filter of filters) expect(await logOf(store, filter)).toEqual(['after']);
  });
});

describe('certificates', () => {
  test('of the server, its authority and the client: what is wrong until then is said', async () => {
    const [old, young] = await Promise.all([TestAuthority.make('old'), TestAuthority.make('young')]);
    cleanups.push(
      () => old.remove(),
      () => young.remove(),
    );
    const file = (name: string): string => join(old.directory, name);
    const put = async (authority: TestAuthority, name: string): Promise<void> => {
      const { cert, key } = await authority.issue(name);
      await copyFile(authority.ca, file(`${name}-ca.pem`));
      await copyFile(cert, file(`${name}.pem`));
      await copyFile(key, file(`${name}.key`));
    };
    await Promise.all([put(old, 'server'), put(old, 'client')]);
    const redis = await startRedis({
      appendOnly: true,
      tls: { ca: file('server-ca.pem'), certificate: file('server.pem'), key: file('server.key') },
      args: ['--tls-auth-clients', 'yes'],
    });
    cleanups.push(() => redis.stop());
    const { store, status, logger } = watched({
      url: redis.url,
      credentials: async () => ({
        ca: await readFile(file('client-ca.pem')),
        certificate: await readFile(file('client.pem')),
        key: await readFile(file('client.key')),
      }),
    });
    await store.open();
    await durable(store, 'c', 'a');
    await put(young, 'server');
    await redis.restart();
    await status.is(false);
    await logger.line(/TLS with Redis does not succeed: .*self-signed certificate/);
    await put(young, 'client');
    await status.is(true);
    await store.logs.append([message('a', 'after')], now);
    expect(await logOf(store, 'a')).toEqual(['after']);
  });
});
