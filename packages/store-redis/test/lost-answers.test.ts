/** A request arrives and its answer does not: nothing is known, and doing it again is the same as once. */
import { randomUUID } from 'node:crypto';
import type { SessionKey } from '@dunlin/broker';
import { redisCall } from '@dunlin/testkit';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { AppendCall, AppendPart, LogNames } from '../src/append-call.ts';
import type { RedisStore } from '../src/index.ts';
import { Keys } from '../src/keys.ts';
import { scripts } from '../src/scripts.ts';
import { CuttingProxy } from './cutting-proxy.ts';
import {
  cleanups,
  durable,
  logOf,
  message,
  now,
  owner,
  redis,
  subscribe,
  unavailable,
  type Watched,
  watched,
} from './watched-store.ts';

interface BehindProxy extends Watched {
  proxy: CuttingProxy;
  /** Another store of the same keys, past the proxy. */
  second: RedisStore;
  url: string;
  prefix: string;
}

async function behindProxy(): Promise<BehindProxy> {
  const server = await redis();
  const proxy = await CuttingProxy.to(server.port);
  cleanups.push(() => proxy.close());
  const prefix = randomUUID();
  const first = watched({ url: `redis://127.0.0.1:${proxy.port}`, prefix });
  const second = watched({ url: server.url, prefix }).store;
  await Promise.all([first.store.open(), second.open()]);
  return { ...first, proxy, second, url: server.url, prefix };
}

/**
 * An owner of a session stands still between the look at the session and the append. Meanwhile the client goes on elsewhere, sends the message again and completes its
 * handshake: the log has forgotten its number. Seen to fail before: the message stood in the log twice.
 */
test('an append of an owner before comes late, after the message was sent again and released elsewhere', async () => {
  const { store, proxy, second, status, url, prefix } = await behindProxy();
  await durable(store, 'reader', 'log');
  const before = await durable(store, 'publisher');
  const append = (by: RedisStore, key: SessionKey, number: number, payload: string, packetId: number) => {
    const producer = { clientId: 'publisher', number, digest: number };
    return by.logs.append([message('log', payload, { producer, inbound: { key, packetId, digest: number } })], now);
  };
  expect(await append(store, before, 1, 'zero', 6)).toEqual([[1]]);
  const kept = proxy.keepBack('once');
  await expect(append(store, before, 2, 'once', 7)).rejects.toMatchObject(unavailable);
  const deliver = await kept;
  const after = await durable(second, 'publisher');
  expect(await append(second, after, 2, 'once', 7)).toEqual([[2]]);
  await second.sessions.update(after, { inboundDelete: [7] });
  await deliver();
  expect(await logOf(second, 'log')).toEqual(['zero', 'once']);
  expect(await append(second, after, 3, 'next', 7)).toEqual([[3]]);
  await status.is(true);
  expect(await append(store, before, 2, 'once', 7)).toEqual([[]]);
  // What is remembered of owners ends with the session.
  const taken = `${new Keys(prefix).shardOf('l', 'log').start}taken`;
  expect(await redisCall(url, ['ZCARD', taken])).toBe(':3\r\n');
  await second.sessions.claim({ clientId: 'publisher', owner, cleanStart: true, sessionExpirySeconds: 0 }, now);
  await expect.poll(() => redisCall(url, ['EXISTS', taken])).toBe(':0\r\n');
});

/**
 * An owner stands still between the session, which has no subscription any more, and its log. Seen to fail before: what it did late took the new subscription out of the log,
 * and with the last one the log ended.
 */
test.each([
  ['a', scripts.cursors],
  ['$share/g/a', scripts.groupMember],
])(
  'an unsubscription of an owner before from %s comes late, after the client has subscribed elsewhere',
  async (filter, script) => {
    const { store, proxy, second, status, url, prefix } = await behindProxy();
    const before = await durable(store, 'c', filter);
    const kept = proxy.keepBack(script.sha);
    await expect(store.sessions.unsubscribe(before, [filter])).rejects.toMatchObject(unavailable);
    const deliver = await kept;
    const after = await durable(second, 'c');
    await subscribe(second, after, filter);
    const append = () => second.logs.append([message('a', 'm')], now);
    expect(await append()).toEqual([[1]]);
    await deliver();
    expect(await append()).toEqual([[2]]);
    await status.is(true);
    await expect(store.sessions.unsubscribe(before, [filter])).rejects.toMatchObject({ code: 'fenced' });
    await second.sessions.unsubscribe(after, [filter]);
    expect(await append()).toEqual([[0]]);
    // What is remembered of owners ends with the session.
    const taken = `${new Keys(prefix).shardOf('l', 'a').start}taken`;
    expect(await redisCall(url, ['ZCARD', taken])).toBe(':1\r\n');
    await second.sessions.claim({ clientId: 'c', owner, cleanStart: true, sessionExpirySeconds: 0 }, now);
    await expect.poll(() => redisCall(url, ['EXISTS', taken])).toBe(':0\r\n');
  },
);

/** Seen to fail with `parts == part` taken out of scripts/append.lua, so that it ignores what it remembers. */
describe('an append is given again', () => {
  const origin = { writer: 'node/0#1/x', batch: 1 };

  test('its answer was lost: it is done once, for any publisher', async () => {
    const { store, proxy, status } = await behindProxy();
    await durable(store, 'c', 'a', 'b');
    const requests = [message('a', 'once', { filters: ['a', 'b'] }), message('b', 'too')];
    for (let attempt = 0; attempt < 3; attempt++) {
      const lost = proxy.loseAnswerTo('once');
      await expect(store.logs.append(requests, now, origin)).rejects.toMatchObject(unavailable);
      await lost;
      await status.is(true);
    }
    expect(await store.logs.append(requests, now, origin)).toEqual([[-1, -1], [-2]]);
    expect(await store.logs.append([message('a', 'next')], now, { ...origin, batch: 2 })).toEqual([[2]]);
    expect(await logOf(store, 'a')).toEqual(['once', 'next']);
    expect(await logOf(store, 'b')).toEqual(['once', 'too']);
  });

  test('the answer to a part of it was lost: all of it is there once, in its order', async () => {
    const { store, proxy, status } = await behindProxy();
    await durable(store, 'c', 'a', 'b');
    const payloads = Array.from({ length: 12_000 }, (_, index) => `m${index}.`);
    const requests = payloads.map((payload) => message('a', payload));
    for (const last of ['m0.', 'm7000.', 'm11999.']) {
      const lost = proxy.loseAnswerTo(last);
      await expect(store.logs.append(requests, now, origin)).rejects.toMatchObject(unavailable);
      await lost;
      await status.is(true);
    }
    expect((await store.logs.append(requests, now, origin)).map(([number]) => Math.abs(number))).toEqual(
      payloads.map((_, index) => index + 1),
    );
    expect(await logOf(store, 'a')).toEqual(payloads);
  });

  test.each([
    ['before the next batch', 0],
    ['behind the next batch', 1],
  ])('the first attempt arrives behind it, %s', async (_when, batches) => {
    const { store, proxy, status } = await behindProxy();
    await durable(store, 'c', 'a');
    const kept = proxy.keepBack('first');
    await expect(store.logs.append([message('a', 'first')], now, origin)).rejects.toMatchObject(unavailable);
    const deliver = await kept;
    await status.is(true);
    expect(await logOf(store, 'a')).toEqual([]);
    expect(await store.logs.append([message('a', 'first')], now, origin)).toEqual([[1]]);
    if (batches > 0) await store.logs.append([message('a', 'second')], now, { ...origin, batch: 2 });
    const before = await logOf(store, 'a');
    await deliver();
    expect(await logOf(store, 'a')).toEqual(before);
    expect(await store.logs.append([message('a', 'third')], now, { ...origin, batch: 3 })).toEqual([[batches + 2]]);
  });

  test('a part whose predecessor was not appended is refused', async () => {
    const { store, url, prefix } = await behindProxy();
    await durable(store, 'c', 'a');
    const keys = new Keys(prefix);
    const name = new LogNames(keys).get('a');
    const client = new Redis(url);
    cleanups.push(async () => client.disconnect());
    const answers: unknown[] = [];
    for (const number of [1, 0, 2, 1]) {
      const call = new AppendCall(name.shard.slot, new AppendPart(origin, keys.l[0], number), () => 0);
      call.add(name, { request: message('a', `part ${number}`), producer: null, refused: false, result: [0] }, 0);
      const { name: command, args } = call.build();
      answers.push(await client.call(command, args).catch((error: Error) => error.message.split(' ')[0]));
    }
    expect(answers).toEqual(['GAP', [1], 'GAP', [2]]);
    expect(await logOf(store, 'a')).toEqual(['part 0', 'part 1']);
  });

  test('what is remembered of a writer goes by itself', async () => {
    const { store, url, prefix } = await behindProxy();
    await durable(store, 'c', 'a');
    const key = `${new Keys(prefix).l[0].start}writer:${origin.writer}`;
    await store.logs.append([message('a', 'm')], now, origin);
    await redisCall(url, ['PEXPIRE', key, '100000']);
    // An answer to a repetition is as fresh as one to a first attempt.
    await store.logs.append([message('a', 'm')], now, origin);
    const week = 7 * 24 * 3600;
    expect(Number(/^:(\d+)/.exec(await redisCall(url, ['TTL', key]))?.[1])).toBeGreaterThan(week - 60);
    await redisCall(url, ['PEXPIRE', key, '1']);
    await expect.poll(() => redisCall(url, ['EXISTS', key])).toContain(':0');
    expect(await store.logs.append([message('a', 'n')], now, { ...origin, batch: 2 })).toEqual([[2]]);
  });
});

describe('an answer is lost', () => {
  test('an append with a producer is done once, however often it is repeated', async () => {
    const { store, proxy, status } = await behindProxy();
    const key = await durable(store, 'c', 'a', 'b');
    const request = message('a', 'exactly once', {
      filters: ['a', 'b'],
      producer: { clientId: 'c', number: 1 },
      inbound: { key, packetId: 5, digest: -5 },
    });
    const lost = proxy.loseAnswerTo('exactly once');
    await expect(store.logs.append([request], now)).rejects.toMatchObject(unavailable);
    await lost;
    await status.is(true);
    expect(await store.logs.append([request], now)).toEqual([[-1, -1]]);
    expect(await store.logs.append([request], now)).toEqual([[-1, -1]]);
    expect(await logOf(store, 'a')).toEqual(['exactly once']);
    expect(await logOf(store, 'b')).toEqual(['exactly once']);
  });

  test('calls under way are refused, and nothing waits for the connection', async () => {
    const { store, proxy, status } = await behindProxy();
    await durable(store, 'c', 'a');
    const lost = proxy.loseAnswerTo('lost');
    const calls = [
      store.logs.append([message('a', 'lost')], now),
      store.sessions.count(),
      store.retained.set('t', Buffer.from('r'), Infinity),
      store.logs.durableFilters(),
    ];
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({ status: 'rejected', reason: unavailable });
    }
    await lost;
    await status.is(true);
    expect(await logOf(store, 'a')).toEqual(['lost']);
    expect(await store.logs.append([message('a', 'next')], now)).toEqual([[2]]);
  });

  test('a subscription that the log was not told of is finished by the next claim', async () => {
    const { store, proxy, second } = await behindProxy();
    const key = await durable(store, 'c');
    const lost = proxy.loseAnswerTo(scripts.subscribe.sha);
    await expect(durable(store, 'c', 'a')).rejects.toMatchObject(unavailable);
    await lost;
    expect(await second.logs.durableFilters()).toEqual([]);
    const claim = { clientId: 'c', owner, cleanStart: false, sessionExpirySeconds: 60 };
    const { session, epoch } = await second.sessions.claim(claim, now);
    expect(epoch).toBeGreaterThan(key.epoch);
    expect(session?.cursors).toEqual([{ filter: 'a', acknowledged: 0, above: [] }]);
    expect(await second.logs.durableFilters()).toEqual([{ filter: 'a', lastSequence: 0 }]);
    expect(await second.logs.append([message('a', 'm')], now)).toEqual([[1]]);
  });

  test('an unsubscription that the log was not told of is finished by the next claim', async () => {
    const { store, proxy, second } = await behindProxy();
    const key = await durable(store, 'c', 'a');
    const lost = proxy.loseAnswerTo(scripts.subscribe.sha);
    await expect(store.sessions.unsubscribe(key, ['a'])).rejects.toMatchObject(unavailable);
    await lost;
    expect(await second.logs.durableFilters()).toHaveLength(1);
    const claim = { clientId: 'c', owner, cleanStart: false, sessionExpirySeconds: 60 };
    const { session } = await second.sessions.claim(claim, now);
    expect(session).toMatchObject({ cursors: [], subscriptions: [] });
    expect(await second.logs.durableFilters()).toEqual([]);
  });

  test('a subscription repeated after an unsubscription that was cut off begins at the end of the log', async () => {
    const { store, proxy, status } = await behindProxy();
    const key = await durable(store, 'c', 'a');
    const lost = proxy.loseAnswerTo(scripts.subscribe.sha);
    await expect(store.sessions.unsubscribe(key, ['a'])).rejects.toMatchObject(unavailable);
    await lost;
    await status.is(true);
    expect(await store.logs.append([message('a', 'between')], now)).toEqual([[1]]);
    await subscribe(store, key, 'a');
    const claim = { clientId: 'c', owner, cleanStart: false, sessionExpirySeconds: 60 };
    expect((await store.sessions.claim(claim, now)).session?.cursors).toEqual([
      { filter: 'a', acknowledged: 1, above: [] },
    ]);
    expect(await store.logs.durableFilters()).toEqual([{ filter: 'a', lastSequence: 1 }]);
  });

  test('a membership of a group that its log was not told of is finished by the next claim, either way', async () => {
    const { store, proxy, status, second } = await behindProxy();
    const group = '$share/g/a';
    const claim = { clientId: 'c', owner, cleanStart: false, sessionExpirySeconds: 60 };
    await durable(store, 'c');
    const joined = proxy.loseAnswerTo(scripts.subscribe.sha);
    await expect(durable(store, 'c', group)).rejects.toMatchObject(unavailable);
    await joined;
    await status.is(true);
    expect(await second.groups.list()).toEqual([]);
    const { session, epoch } = await second.sessions.claim(claim, now);
    expect(session).toMatchObject({ cursors: [], subscriptions: [{ filter: group }] });
    expect(await second.groups.list()).toEqual([{ group, acknowledged: 0 }]);
    const { epoch: leader } = await second.groups.claim(group);
    await second.groups.reserve({ group, epoch: leader }, [{ sequence: 1, clientId: 'c', isFinal: false }]);
    await durable(second, 'd', group);
    const left = proxy.loseAnswerTo(scripts.subscribe.sha);
    await expect(store.sessions.unsubscribe({ clientId: 'c', epoch }, [group])).rejects.toMatchObject(unavailable);
    await left;
    expect(await second.groups.reservations(group)).toEqual([{ sequence: 1, clientId: 'c', isFinal: false }]);
    expect((await second.sessions.claim(claim, now)).session).toMatchObject({ cursors: [], subscriptions: [] });
    expect(await second.groups.reservations(group)).toEqual([{ sequence: 1, clientId: 'c', isFinal: true }]);
    expect(await second.groups.list()).toEqual([{ group, acknowledged: 0 }]);
  });

  test('leftovers of an ended session in logs are removed by the next process that ends sessions', async () => {
    const { store, proxy, second } = await behindProxy();
    await durable(store, 'c', 'a', 'b');
    const lost = proxy.loseAnswerTo(scripts.endSession.sha);
    await expect(store.sessions.delete('c')).rejects.toMatchObject(unavailable);
    await lost;
    expect(await second.sessions.count()).toBe(0);
    expect(await second.logs.durableFilters()).toHaveLength(2);
    // The client is back before that: its new session is not touched.
    await durable(second, 'c', 'b');
    expect(await second.sessions.expire(now, 10)).toEqual([]);
    expect(await second.logs.durableFilters()).toEqual([{ filter: 'b', lastSequence: 0 }]);
    await second.logs.append([message('b', 'm')], now);
    expect(await second.logs.trim({ messagesMax: 10, bytesMax: 1000 }, now)).toBe(0);
    expect(await logOf(second, 'b')).toEqual(['m']);
  });

  test('a node that was cut off is fenced', async () => {
    const { store, second } = await behindProxy();
    const old = await durable(store, 'c', 'a');
    const current = await durable(second, 'c');
    const cursors = [{ filter: 'a', acknowledged: 1, above: [] }];
    await expect(store.sessions.update(old, { cursors })).rejects.toMatchObject({ code: 'fenced' });
    await expect(store.sessions.unsubscribe(old, ['a'])).rejects.toMatchObject({ code: 'fenced' });
    expect(
      await store.logs.append([message('a', 'x', { inbound: { key: old, packetId: 1, digest: -1 } })], now),
    ).toEqual([[]]);
    await store.sessions.release(old, {}, now);
    await second.sessions.update(current, {});
    expect(await logOf(second, 'a')).toEqual([]);
  });
});
