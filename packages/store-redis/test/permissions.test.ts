/** A user of Redis that may not do all that nodes need: said when they connect, by name, and gone when it is mended. Seen to fail before: found when it was needed, or never. */
import { readFileSync } from 'node:fs';
import { redisCall, startRedisCluster, startSentinel, valkeyServerPath } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import { RedisCommands } from '../src/index.ts';
import { aclLine, sentinelAclLine } from '../src/permissions.ts';
import { allow, allowLeast, asUser } from './acl-user.ts';
import { cleanups, durable, now, owner, redis, unavailable, watched } from './watched-store.ts';

const readsTokens = '+ping +info +client|setname +hmget +xrange +xrevrange';

/** A refusal is tried again after five seconds: all of them wait for it together. */
test('what a user may not do is said when a node connects, by name, and it goes on when that is mended', async () => {
  const server = await redis();
  const cases = [
    { rules: ['-unlink'], expected: /lacks permissions: it may not run unlink on the keys dunlin:\*$/ },
    { rules: ['-xtrim', '-zrem', '-hscan'], expected: /it may not run hscan, xtrim, zrem on the keys dunlin:\*$/ },
    { rules: ['resetkeys', '~other:*'], expected: /it may not use the keys dunlin:\*$/ },
    { rules: ['resetkeys', '%R~dunlin:*'], expected: /it may not run del, unlink, .* on the keys dunlin:\*$/ },
    { rules: ['-evalsha'], expected: /lacks a permission: NOPERM .*evalsha/ },
    { rules: ['-script|load'], expected: /lacks a permission: NOPERM .*script\|load/ },
    { rules: ['-info'], expected: /lacks a permission: NOPERM .*info/ },
  ];
  const refused = await Promise.all(
    cases.map(async ({ rules, expected }, index) => {
      const user = `user${index}`;
      await allowLeast(server.url, 'server', user);
      await allow(server.url, user, ...rules);
      const { store, logger } = watched({ url: asUser(server.url, user) });
      return { user, store, logger, expected, opening: store.open() };
    }),
  );
  for (const { user, store, logger, expected } of refused) {
    const line = await logger.line(/permission/);
    expect(line).toMatchObject({ level: 'error', fields: { address: `127.0.0.1:${server.port}` } });
    expect(line.message).toMatch(new RegExp(`: the Redis user "${user}" lacks`));
    expect(line.message).toMatch(expected);
    await expect(store.sessions.count()).rejects.toMatchObject(unavailable);
    await allowLeast(server.url, 'server', user);
  }
  for (const { store, opening, logger } of refused) {
    await opening;
    expect(await store.sessions.count()).toBe(0);
    expect(logger.lines.map(({ level }) => level)).toEqual(['error', 'info']);
  }
});

test('Redis Cluster: likewise', async () => {
  const { url, servers, stop } = await startRedisCluster();
  cleanups.push(stop);
  const refused = await Promise.all(
    ['cluster|slots', 'cluster|info', 'unlink'].map(async (command, index) => {
      const user = `user${index}`;
      for (const server of servers) {
        await allowLeast(server.url, 'cluster', user);
        await allow(server.url, user, `-${command}`);
      }
      const { store, logger } = watched({ url: asUser(url, user) });
      return { user, command, store, logger, opening: store.open() };
    }),
  );
  for (const { user, command, logger } of refused) {
    const line = await logger.line(/permission/);
    expect(line.level).toBe('error');
    expect(line.message).toContain(command);
    for (const server of servers) await allowLeast(server.url, 'cluster', user);
  }
  for (const { opening } of refused) await opening;
});

test.each(['replicated', 'fsync'] as const)(
  'durability %s: what it waits with has to be allowed',
  async (durability) => {
    const program = valkeyServerPath ?? undefined;
    if (durability === 'fsync' && program === undefined) return;
    const server = await redis({ program, appendOnly: true });
    await allowLeast(server.url, 'server');
    const { store, logger } = watched({ url: asUser(server.url), durability, replicas: 0 });
    store.open().catch(() => {});
    expect((await logger.line(/permission/)).message).toContain(durability === 'fsync' ? 'waitaof' : 'wait');
    await redisCall(server.url, aclLine('dunlin', 'server', durability).replace('PASSWORD', 'other').split(' '));
    const { store: allowed } = watched({
      url: asUser(server.url).replace(/:[^:@]*@/, ':other@'),
      durability,
      replicas: 0,
    });
    await allowed.open();
    await durable(allowed, 'c', 'a');
  },
);

test('Sentinel: a user that may ask who is master, and hear of another', async () => {
  const { url, sentinel, master, replica, stop } = await startSentinel();
  cleanups.push(stop);
  await Promise.all([master, replica].map((server) => allowLeast(server.url, 'server')));
  await redisCall(sentinel.url, sentinelAclLine.replace('PASSWORD', 'of-sentinel').split(' '));
  const credentials = async () => ({ sentinelPassword: 'of-sentinel' });
  const { store, logger } = watched({ url: asUser(url), sentinelUser: 'dunlin', credentials });
  await store.open();
  await durable(store, 'c', 'a');
  expect(logger.lines.map(({ message }) => message)).toEqual(['the node is connected to Redis']);
  // What was refused to anybody.
  for (const server of [sentinel, master]) expect(await redisCall(server.url, ['ACL', 'LOG'])).toBe('*0\r\n');
});

/** Programs, since each has words of its own for it within scripts. */
const programs = [
  ['Redis', undefined],
  ['Valkey', valkeyServerPath],
] as const;

test.each(programs)(
  '%s: a permission is taken away while the store is in use, and given back',
  async (_name, program) => {
    if (program === null) return; // said by the contract tests
    const server = await redis({ program });
    await allowLeast(server.url, 'server');
    const { store, logger, status } = watched({ url: asUser(server.url) });
    await store.open();
    await durable(store, 'c', 'a');
    await allow(server.url, 'dunlin', '-hset');
    await expect(
      store.sessions.claim({ clientId: 'c', owner, cleanStart: false, sessionExpirySeconds: 1 }, now),
    ).rejects.toMatchObject(unavailable);
    await status.is(false);
    expect((await logger.line(/it may not run hset on/)).level).toBe('error');
    await allow(server.url, 'dunlin', '+hset');
    await status.is(true);
    await durable(store, 'c', 'b');
    expect(await store.logs.durableFilters()).toHaveLength(2);
  },
);

test('device tokens: a user that may only read them, and what it may not do does not end its connection', async () => {
  const server = await redis();
  await allow(server.url, 'dunlin', 'reset', 'on', '>p-of-dunlin', '~dunlin:*', ...readsTokens.split(' '));
  const commands = new RedisCommands({ url: asUser(server.url) });
  cleanups.push(async () => commands.close());
  commands.start();
  await commands.connected;
  expect(await commands.call('dunlin:token:1', 'HMGET', ['dunlin:token:1', 'hash'])).toEqual([null]);
  expect(await commands.call('dunlin:{tokens}:revoked', 'XREVRANGE', ['dunlin:{tokens}:revoked', '+', '-'])).toEqual(
    [],
  );
  expect(await commands.call('dunlin:{tokens}:revoked', 'XRANGE', ['dunlin:{tokens}:revoked', '-', '+'])).toEqual([]);
  expect(await redisCall(server.url, ['ACL', 'LOG'])).toBe('*0\r\n');
  await expect(commands.call('dunlin:token:1', 'DEL', ['dunlin:token:1'])).rejects.toMatchObject(unavailable);
  expect(await commands.call('dunlin:token:1', 'HMGET', ['dunlin:token:1', 'hash'])).toEqual([null]);
});

test('docs/security.md has the lines', () => {
  const document = readFileSync(new URL('../../../docs/security.md', import.meta.url), 'utf8');
  for (const line of [aclLine('dunlin', 'server', 'memory'), aclLine('dunlin', 'cluster', 'memory'), sentinelAclLine])
    expect(document).toContain(`\n${line}\n`);
  expect(document).toContain(`\`~dunlin:* ${readsTokens}\``);
});
