/**
 * Redis comes back with all it had, with less, or with nothing. Seen to fail before: numbers of logs were given again, to other messages, and who had been given them
 * before could not tell.
 */
import { numbersPerEra, type Store } from '@dunlin/broker';
import { type RedisServer, redisCall, startRedisCluster } from '@dunlin/testkit';
import type { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { Continuity } from '../src/continuity.ts';
import { Keys } from '../src/keys.ts';
import { cleanups, countsOf, durable, logOf, message, now, redis, type Watched, watched } from './watched-store.ts';

/** Processes of one server, with what each was told. */
function process(url: string): Watched & { told: string[] } {
  const told: string[] = [];
  const watching = watched({ url, onWentBack: (what) => told.push(`${what} while ${watching.status.history.at(-1)}`) });
  return { ...watching, told };
}

async function append(store: Store, filter: string, ...payloads: string[]): Promise<number[]> {
  const results = await store.logs.append(
    payloads.map((payload) => message(filter, payload)),
    now,
  );
  return results.map(([sequence]) => sequence);
}

/** Ends as a machine without power does, and starts again. */
async function restart(server: RedisServer, processes: readonly Watched[], meanwhile = async () => {}): Promise<void> {
  await server.kill();
  for (const { status } of processes) await status.is(false);
  await meanwhile();
  await server.restart();
  for (const { status } of processes) await status.is(true);
}

describe('Redis starts again', () => {
  test('with all it had: nothing has gone back, numbers go on in another era, and are one log', async () => {
    const server = await redis({ appendOnly: true });
    const [a, b] = [process(server.url), process(server.url)];
    await Promise.all([a.store.open(), b.store.open()]);
    const key = await durable(a.store, 'c', 'log');
    expect(await append(a.store, 'log', '1', '2', '3')).toEqual([1, 2, 3]);
    await restart(server, [a, b]);
    const [fourth] = await append(a.store, 'log', '4');
    const [fifth] = await append(b.store, 'log', '5');
    expect(fourth).toBeGreaterThan(numbersPerEra);
    expect(fourth % numbersPerEra).toBe(4);
    expect(fifth).toBe(fourth + 1);
    expect([...a.told, ...b.told]).toEqual([]);
    const page = await b.store.logs.read('log', 2, 3, 1e6, now);
    expect(page.entries.map(({ sequence }) => sequence)).toEqual([2, 3, fourth]);
    expect(page).toMatchObject({ firstSequence: 1, lastSequence: fifth });
    // The limit is one of messages, not of numbers.
    expect(await a.store.logs.trim({ messagesMax: 3, bytesMax: 1e9 }, now)).toBe(2);
    expect(await logOf(a.store, 'log')).toEqual(['3', '4', '5']);
    await a.store.sessions.update(key, { cursors: [{ filter: 'log', acknowledged: 3, above: [fifth] }] });
    await a.store.logs.trim({ messagesMax: 3, bytesMax: 1e9 }, now);
    expect(await logOf(a.store, 'log')).toEqual(['4', '5']);
    await a.store.sessions.update(key, { cursors: [{ filter: 'log', acknowledged: fifth, above: [] }] });
    await a.store.logs.trim({ messagesMax: 3, bytesMax: 1e9 }, now);
    expect(await logOf(a.store, 'log')).toEqual([]);
    expect(await append(b.store, 'log', '6')).toEqual([fifth + 1]);
  });

  test('with an older file: whose writes are lost is told before it can write, and no number comes twice', async () => {
    const server = await redis();
    const [a, b] = [process(server.url), process(server.url)];
    await Promise.all([a.store.open(), b.store.open()]);
    const key = await durable(a.store, 'c', 'log');
    await append(b.store, 'log', '1');
    await redisCall(server.url, ['SAVE']);
    expect(await append(a.store, 'log', '2', '3', '4')).toEqual([2, 3, 4]);
    await restart(server, [a, b]);
    expect(a.told).toEqual([
      expect.stringMatching(/^its last mark of this process is \d+, confirmed was \d+ while false$/),
    ]);
    expect(b.told).toEqual([]);
    const again = await append(b.store, 'log', 'new 2', 'new 3', 'new 4');
    expect(again.map((sequence) => sequence % numbersPerEra)).toEqual([2, 3, 4]);
    // What its client had acknowledged was lost; what came since is not passed over.
    await a.store.sessions.update(key, { cursors: [{ filter: 'log', acknowledged: 4, above: [] }] });
    const { entries } = await a.store.logs.read('log', 5, 10, 1e6, now);
    expect(entries.map(({ record }) => String(record))).toEqual(['new 2', 'new 3', 'new 4']);
    await a.store.logs.trim({ messagesMax: 1e6, bytesMax: 1e9 }, now);
    expect(await logOf(b.store, 'log')).toEqual(['new 2', 'new 3', 'new 4']);
  });

  test('with an older file, and is written to by others first', async () => {
    const server = await redis();
    const a = process(server.url);
    await a.store.open();
    await durable(a.store, 'c', 'log');
    await redisCall(server.url, ['SAVE']);
    const lost = await append(a.store, 'log', '1', '2');
    await restart(server, [a]);
    const other = process(server.url);
    await other.store.open();
    for (const sequence of await append(other.store, 'log', 'x', 'y', 'z')) expect(lost).not.toContain(sequence);
    expect(a.told).toHaveLength(1);
  });

  test('with nothing, and is written to by others first', async () => {
    const server = await redis();
    const a = process(server.url);
    await a.store.open();
    await durable(a.store, 'c', 'log');
    const lost = await append(a.store, 'log', '1', '2');
    const other = process(server.url);
    await restart(server, [a], async () => {
      other.store.open().catch(() => {});
    });
    await other.status.is(true);
    expect(a.told).toHaveLength(1);
    await durable(other.store, 'd', 'log');
    await append(other.store, 'log', 'x', 'y', 'z');
    for (const sequence of await append(a.store, 'log', 'more')) expect(lost).not.toContain(sequence);
  });

  test('once told, it is not told again', async () => {
    const server = await redis();
    const a = process(server.url);
    await a.store.open();
    await redisCall(server.url, ['SAVE']);
    await durable(a.store, 'c', 'log');
    await restart(server, [a]);
    await redisCall(server.url, ['SAVE']);
    await restart(server, [a]);
    expect(a.told).toHaveLength(1);
  });
});

test('a server of a Cluster starts again with less than it had, the others go on', async () => {
  const running = await startRedisCluster({ args: ['--cluster-require-full-coverage', 'no'] });
  cleanups.push(() => running.stop());
  const a = process(running.url);
  await a.store.open();
  const filters = Array.from({ length: 20 }, (_, index) => `f/${index}`);
  await durable(a.store, 'c', ...filters);
  for (const filter of filters) await append(a.store, filter, '1');
  const [server] = running.servers;
  await redisCall(server.url, ['SAVE']);
  for (const filter of filters) await append(a.store, filter, '2');
  await restart(server, [a]);
  expect(a.told).toHaveLength(1);
  const results = await Promise.all(filters.map((filter) => a.store.logs.append([message(filter, 'new')], now)));
  const counts = results.flatMap(countsOf);
  // Those of the server that went back come again, in another era.
  expect(new Set(counts)).toEqual(new Set([2, 3]));
  for (const [[sequence]] of results) expect(sequence === 3 || sequence > numbersPerEra).toBe(true);
});

/** A server that answers as its test says. */
function answering(get: () => Promise<string | null>, era: () => Promise<[number, number]>): Redis {
  return { get, evalsha: era } as unknown as Redis;
}

/** Seen to fail before: the era of its new run had been entered by then, so the next look found nothing. */
test('what a look finds is told although another part of the look fails', async () => {
  const told: string[] = [];
  const continuity = new Continuity(new Keys('p'), false, 'id', (what) => told.push(what));
  const nobody = async (): Promise<null> => null;
  await continuity.check(
    answering(nobody, async () => [numbersPerEra, numbersPerEra]),
    'first run',
  );
  continuity.markConfirmed(continuity.nextMark(0));
  const fails = continuity.check(
    answering(
      async () => {
        throw new Error('the connection was closed');
      },
      async () => [2 * numbersPerEra, -1],
    ),
    'second run',
  );
  await expect(fails).rejects.toThrow('the connection was closed');
  expect(told).toEqual(['it is empty']);
});

/** Seen to fail before: the store was asked for its file between the append and what the session was to remember of it, and the message that came next was taken for that one. */
test('a producer number that is given anew is another message where its content is another', async () => {
  const server = await redis();
  const { store } = process(server.url);
  await store.open();
  await durable(store, 'subscriber', 'log');
  await durable(store, 'publisher');
  const append = async (payload: string, digest: number): Promise<number> => {
    const producer = { clientId: 'publisher', number: 1, digest };
    const [[sequence]] = await store.logs.append([message('log', payload, { producer })], now);
    return sequence;
  };
  expect(await append('first', 11)).toBe(1);
  expect(await append('first', 11)).toBe(-1);
  expect(await append('second', 22)).toBe(2);
  expect(await append('second', 22)).toBe(-2);
  expect(await append('of nobody knows what', 0)).toBe(-2);
  expect(await logOf(store, 'log')).toEqual(['first', 'second']);
});
