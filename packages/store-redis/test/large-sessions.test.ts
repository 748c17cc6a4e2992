/**
 * Sessions of thousands of filters are worked on some filters at a time: Redis serves nobody else meanwhile. Seen to
 * fail before: 20,000 filters held it for 50 to 190 ms.
 */
import type { SessionKey } from '@dunlin/broker';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { cleanups, durable, message, now, owner, redis, subscribe, watched } from './watched-store.ts';

const filterCount = 2500;
const filters = Array.from({ length: filterCount }, (_, index) => `fleet/${index}/state`);
const filtersAtOnce = 500;
/** Commands that read a hash as a whole. */
const whole = /^(hgetall|hkeys|hvals)$/;
/** Calls of one script: some milliseconds. */
const callsMax = 2000;
const argumentBytesMax = 20_000;

/** Commands that the server was asked, by scripts as well, until now. */
async function watch(url: string): Promise<() => Promise<{ args: string[]; isOfScript: boolean }[]>> {
  const [client, sender] = [new Redis(url), new Redis(url)];
  cleanups.push(async () => client.disconnect());
  cleanups.push(async () => sender.disconnect());
  const monitor = await client.monitor();
  cleanups.push(async () => monitor.disconnect());
  const seen: { args: string[]; isOfScript: boolean }[] = [];
  let last: () => void = () => {};
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (args[1] === 'until here') last();
    else seen.push({ args, isOfScript: source === 'lua' });
  });
  return async () => {
    const until = new Promise<void>((resolve) => {
      last = resolve;
    });
    await sender.echo('until here');
    await until;
    return seen;
  };
}

test('claimed, ended, and expired: no call reads it whole, writes it whole, or walks through all of it', async () => {
  const server = await redis();
  const { store } = watched({ url: server.url });
  await store.open();
  const seen = await watch(server.url);
  const large = async (): Promise<SessionKey> => {
    const key = await durable(store, 'large');
    for (let from = 0; from < filterCount; from += filtersAtOnce)
      await subscribe(store, key, ...filters.slice(from, from + filtersAtOnce));
    return key;
  };
  const claim = { clientId: 'large', owner, cleanStart: false, sessionExpirySeconds: 60 };

  // Taken over, and ended by a clean start.
  await large();
  const taken = await store.sessions.claim(claim, now);
  expect(taken.session?.subscriptions).toHaveLength(filterCount);
  expect(taken.session?.cursors).toHaveLength(filterCount);
  expect(taken.session?.sessionExpirySeconds).toBe(3600);
  await store.sessions.claim({ ...claim, cleanStart: true, sessionExpirySeconds: 0 }, now);
  expect(await store.logs.durableFilters()).toEqual([]);
  // With its connection, and by its expiry.
  await store.sessions.release(await large(), { sessionExpirySeconds: 0 }, now);
  expect(await store.logs.durableFilters()).toEqual([]);
  await store.sessions.release(await large(), { sessionExpirySeconds: 60 }, now);
  expect(await store.sessions.expire(now + 60_000, 10)).toEqual(['large']);
  expect(await store.logs.durableFilters()).toEqual([]);
  // With its owner.
  await durable(store, 'other');
  await large();
  await store.sessions.update(
    { clientId: 'large', epoch: (await store.sessions.claim(claim, now)).epoch },
    { sessionExpirySeconds: 0 },
  );
  await store.sessions.releaseOwner(owner, now);
  expect(await store.logs.durableFilters()).toEqual([]);

  const commands = await seen();
  expect(
    commands.filter(({ args }) => whole.test(args[0].toLowerCase()) && args[1].endsWith(':session:large')),
  ).toEqual([]);
  expect(
    commands
      .filter(({ args }) => args[0] !== 'evalsha')
      .filter(({ args }) => args.some((text) => text.length > argumentBytesMax)),
  ).toEqual([]);
  let calls = 0;
  let most = 0;
  for (const { isOfScript } of commands) {
    calls = isOfScript ? calls + 1 : 0;
    most = Math.max(most, calls);
  }
  expect(most).toBeLessThan(callsMax);
  // Nothing of it is left.
  const client = new Redis(server.url);
  cleanups.push(async () => client.disconnect());
  expect(
    (await client.keys('*')).filter(
      (key) => /:(ended|session|jobs|cursors)\b/.test(key) && !key.endsWith(':session:other'),
    ),
  ).toEqual([]);
}, 30_000);

test('others are served while it ends: what they append does not wait for the last of its filters', async () => {
  const server = await redis();
  const { store } = watched({ url: server.url });
  await store.open();
  await durable(store, 'other', 'other/filter');
  const key = await durable(store, 'large');
  for (let from = 0; from < filterCount; from += filtersAtOnce)
    await subscribe(store, key, ...filters.slice(from, from + filtersAtOnce));
  let isOver = false;
  const ended = store.sessions
    .claim({ clientId: 'large', owner, cleanStart: true, sessionExpirySeconds: 0 }, now)
    .then(() => {
      isOver = true;
    });
  await store.logs.append([message('other/filter', 'meanwhile')], now);
  expect(isOver).toBe(false);
  await ended;
  expect(await store.logs.durableFilters()).toEqual([{ filter: 'other/filter', lastSequence: expect.any(Number) }]);
}, 30_000);

test('the next process that ends sessions continues where the one before was cut off', async () => {
  const server = await redis();
  const { store } = watched({ url: server.url });
  await store.open();
  await durable(store, 'other', 'other/filter');
  const key = await durable(store, 'large');
  for (let from = 0; from < filterCount; from += filtersAtOnce)
    await subscribe(store, key, ...filters.slice(from, from + filtersAtOnce));
  const ended = store.sessions.release(key, { sessionExpirySeconds: 0 }, now).catch(() => undefined); // not all of it, or its answer is lost
  await store.logs.append([message('other/filter', 'behind the first step')], now);
  const killer = new Redis(server.url);
  cleanups.push(async () => killer.disconnect());
  await killer.call('CLIENT', 'KILL', 'SKIPME', 'yes');
  await ended;
  const { store: next } = watched({ url: server.url });
  await next.open();
  await next.sessions.expire(now, 10);
  expect(await next.logs.durableFilters()).toEqual([{ filter: 'other/filter', lastSequence: expect.any(Number) }]);
  expect((await killer.keys('*')).filter((key) => /:ended:|:jobs$/.test(key))).toEqual([]);
}, 30_000);
