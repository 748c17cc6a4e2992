import { describe, expect, it } from 'vitest';
import {
  durable,
  filtersOf,
  type LogsUnderTest,
  logOf,
  look,
  message,
  now,
  type StoreUnderTest,
  subscription,
  text,
} from './store-contract-kit.ts';

const noLimits = { messagesMax: 1e9, bytesMax: 1e12 };

export function logContract(opened: StoreUnderTest<LogsUnderTest>): void {
  describe('logs', () => {
    it('numbers without a gap, for any writer', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a', 'b');
      const calls = Array.from({ length: 50 }, (_, index) =>
        store.logs.append([message(['a', 'b'], `x${index}`), message(['b'], `y${index}`)], now),
      );
      const results = await Promise.all(calls);
      expect(results).toEqual(results.map((_, index) => [[index + 1, 2 * index + 1], [2 * index + 2]]));
      expect(await logOf(store, 'b')).toEqual(results.flatMap((_, i) => [`${2 * i + 1} x${i}`, `${2 * i + 2} y${i}`]));
    });

    it('skips filters that are not durable', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a');
      expect(await store.logs.append([message(['x', 'a', 'y'], 'm'), message([], 'n')], now)).toEqual([[0, 1, 0], []]);
      expect(await store.logs.read('x', 1, 10, 1000, now)).toEqual({ entries: [], lastSequence: 0, firstSequence: 1 });
    });

    it('keeps filters apart, whatever they are made of', async () => {
      const { store } = opened;
      const long = 'f'.repeat(60_000);
      const filters = ['a', 'a/#', 'a/+', '/', 'a//', 'ä', 'a\u0001', `${long}1`, `${long}2`];
      await durable(store, 'c', ...filters);
      await store.logs.append([message(filters, 'm'), message([filters[8]], 'n')], now);
      expect(await filtersOf(store)).toEqual(filters.map((filter, index) => `${filter} ${index === 8 ? 2 : 1}`).sort());
    });

    it('refuses a producer number it has taken, log by log', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', 'a');
      const producer = { clientId: 'p', number: 7 };
      expect(await store.logs.append([message(['a', 'b'], 'm', { producer })], now)).toEqual([[1, 0]]);
      await store.logs.append([message(['a'], 'between')], now);
      await store.sessions.subscribe(c, [subscription('b')]);
      expect(
        await store.logs.append([message(['a', 'b'], 'm', { producer }), message(['b', 'a'], 'm', { producer })], now),
      ).toEqual([
        [-1, 1],
        [-1, -1],
      ]);
      expect(await store.logs.append([message(['a'], 'o', { producer: { clientId: 'q', number: 7 } })], now)).toEqual([
        [3],
      ]);
      expect(await store.logs.append([message(['a'], 'o', { producer: { clientId: 'p', number: 6 } })], now)).toEqual([
        [4],
      ]);
    });

    it('refuses a taken number also when its message is trimmed', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', 'a');
      const producer = { clientId: 'p', number: 1 };
      await store.logs.append([message(['a'], 'm', { producer })], now);
      await store.sessions.update(c, { cursors: [{ filter: 'a', acknowledged: 1, above: [] }] });
      await store.logs.trim(noLimits, now);
      expect(await logOf(store, 'a')).toEqual([]);
      expect(await store.logs.append([message(['a'], 'm', { producer })], now)).toEqual([[-1]]);
    });

    it('remembers an inbound message with its append, and repairs a crash between the two', async () => {
      const { store } = opened;
      const key = await durable(store, 'c', 'a');
      const producer = { clientId: 'c', number: 1 };
      // The append happened, and its session did not get it.
      await store.logs.append([message(['a'], 'm', { producer })], now);
      const again = message(['a'], 'm', { producer, inbound: { key, packetId: 10, digest: -10 } });
      expect(await store.logs.append([again], now)).toEqual([[-1]]);
      expect(await store.logs.append([again], now)).toEqual([[-1]]);
      expect(await logOf(store, 'a')).toEqual(['1 m']);
      const session = await look(store, 'c');
      expect(session?.inbound).toEqual([{ packetId: 10, producerNumber: 1, digest: -10 }]);
      expect(session?.producerNumber).toBe(1);
    });

    it('remembers an inbound message that no log takes', async () => {
      const { store } = opened;
      const key = await durable(store, 'c');
      const producer = { clientId: 'c', number: 4 };
      expect(
        await store.logs.append([message([], 'm', { producer, inbound: { key, packetId: 1, digest: -1 } })], now),
      ).toEqual([[]]);
      expect((await look(store, 'c'))?.inbound).toEqual([{ packetId: 1, producerNumber: 4, digest: -1 }]);
    });

    it('forgets an inbound message when told so', async () => {
      const { store } = opened;
      const key = await durable(store, 'c', 'a');
      for (const number of [1, 2]) {
        await store.logs.append(
          [
            message(['a'], 'm', {
              producer: { clientId: 'c', number },
              inbound: { key, packetId: number, digest: -number },
            }),
          ],
          now,
        );
      }
      await store.sessions.update(key, { inboundDelete: [1] });
      const session = await look(store, 'c');
      expect(session?.inbound).toEqual([{ packetId: 2, producerNumber: 2, digest: -2 }]);
      expect(session?.producerNumber).toBe(2);
      expect(await store.logs.append([message(['a'], 'm', { producer: { clientId: 'c', number: 2 } })], now)).toEqual([
        [-2],
      ]);
    });

    it('reads in pages by number, messages and bytes', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a');
      await store.logs.append(
        ['aaaa', 'bbbb', 'cccc', 'dddd', 'eeee'].map((payload) => message(['a'], payload)),
        now,
      );
      const numbers = async (from: number, messagesMax: number, bytesMax: number): Promise<number[]> =>
        (await store.logs.read('a', from, messagesMax, bytesMax, now)).entries.map(({ sequence }) => sequence);
      expect(await numbers(1, 2, 1000)).toEqual([1, 2]);
      expect(await numbers(3, 2, 1000)).toEqual([3, 4]);
      expect(await numbers(0, 100, 8)).toEqual([1, 2]);
      expect(await numbers(2, 100, 11)).toEqual([2, 3]);
      expect(await numbers(4, 100, 1)).toEqual([4]);
      expect(await numbers(6, 100, 100)).toEqual([]);
      expect(await store.logs.read('a', 99, 5, 5, now)).toEqual({ entries: [], lastSequence: 5, firstSequence: 1 });
    });

    it('holds messages from empty to large, byte for byte', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a');
      const records = [0, 1, 4096, 70_000, 3_000_000].map((length) =>
        Uint8Array.from({ length }, (_, index) => index % 251),
      );
      await store.logs.append(
        records.map((record) => ({ ...message(['a'], ''), record })),
        now,
      );
      const { entries } = await store.logs.read('a', 1, 10, 1e9, now);
      expect(entries.map(({ record }) => Buffer.from(record).equals(Buffer.from(records[0])))).toEqual([
        true,
        false,
        false,
        false,
        false,
      ]);
      for (const [index, { record }] of entries.entries()) expect(Buffer.compare(record, records[index])).toBe(0);
    });

    it('hides expired messages', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a');
      await store.logs.append(
        [
          message(['a'], '1', { expiresAt: now + 10 }),
          message(['a'], '2'),
          message(['a'], '3', { expiresAt: now + 5 }),
        ],
        now,
      );
      expect(await logOf(store, 'a', now + 4)).toEqual(['1 1', '2 2', '3 3']);
      expect(await logOf(store, 'a', now + 5)).toEqual(['1 1', '2 2']);
      expect(await logOf(store, 'a', now + 10)).toEqual(['2 2']);
      const { entries } = await store.logs.read('a', 2, 1, 1, now);
      expect(entries.map((entry) => [entry.sequence, text(entry.record), entry.expiresAt])).toEqual([
        [2, '2', Infinity],
      ]);
    });

    it('trims behind the slowest cursor', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', 'a');
      const d = await durable(store, 'd', 'a', 'b');
      await store.logs.append(
        Array.from({ length: 10 }, (_, index) => message(['a', 'b'], `${index + 1}`)),
        now,
      );
      await store.sessions.update(c, { cursors: [{ filter: 'a', acknowledged: 8, above: [10] }] });
      expect(await store.logs.trim(noLimits, now)).toBe(0);
      expect((await store.logs.read('a', 1, 100, 1000, now)).firstSequence).toBe(1);
      await store.sessions.update(d, { cursors: [{ filter: 'a', acknowledged: 4, above: [6] }] });
      expect(await store.logs.trim(noLimits, now)).toBe(0);
      expect(await logOf(store, 'a')).toEqual(['5 5', '6 6', '7 7', '8 8', '9 9', '10 10']);
      expect((await store.logs.read('b', 1, 100, 1000, now)).firstSequence).toBe(1);
      await store.sessions.unsubscribe(d, ['a']);
      await store.sessions.update(c, { cursors: [{ filter: 'a', acknowledged: 10, above: [] }] });
      await store.logs.trim(noLimits, now);
      expect(await store.logs.read('a', 1, 100, 1000, now)).toEqual({
        entries: [],
        lastSequence: 10,
        firstSequence: 11,
      });
      expect(await store.logs.append([message(['a'], 'next')], now)).toEqual([[11]]);
    });

    it('trims to the limits, oldest first, and says how many were dropped', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a', 'b');
      await store.logs.append(
        Array.from({ length: 10 }, (_, index) => message(['a', 'b'], `0${index}`)),
        now,
      );
      expect(await store.logs.trim({ messagesMax: 7, bytesMax: 1000 }, now)).toBe(6);
      expect((await store.logs.read('a', 1, 1, 10, now)).firstSequence).toBe(4);
      expect(await store.logs.trim({ messagesMax: 1000, bytesMax: 5 }, now)).toBe(10);
      expect(await logOf(store, 'b')).toEqual(['9 08', '10 09']);
      expect(await store.logs.trim({ messagesMax: 1000, bytesMax: 5 }, now)).toBe(0);
      expect((await look(store, 'c'))?.cursors[0].acknowledged).toBe(0);
    });

    it('trims a log that began in the same turn', async () => {
      const { store } = opened;
      const key = await durable(store, 'c');
      const [, , dropped] = await Promise.all([
        store.sessions.subscribe(key, [subscription('a', 1)]),
        store.logs.append([message(['a'], 'm')], now),
        store.logs.trim({ messagesMax: 10, bytesMax: 0 }, now),
      ]);
      expect(dropped).toBe(1);
    });

    it('trims what has expired at the front, and does not call it dropped', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a');
      await store.logs.append(
        [message(['a'], '1', { expiresAt: now + 1 }), message(['a'], '2', { expiresAt: now + 1 }), message(['a'], '3')],
        now,
      );
      expect(await store.logs.trim(noLimits, now)).toBe(0);
      expect((await store.logs.read('a', 1, 1, 10, now)).firstSequence).toBe(1);
      expect(await store.logs.trim(noLimits, now + 1)).toBe(0);
      expect((await store.logs.read('a', 1, 1, 10, now)).firstSequence).toBe(3);
    });

    it('trims a log of many messages, and many logs', async () => {
      const { store } = opened;
      const filters = Array.from({ length: 1500 }, (_, index) => `f/${index}`);
      await durable(store, 'c', 'a', ...filters);
      await store.logs.append(
        Array.from({ length: 10_000 }, () => message(['a'], 'm')),
        now,
      );
      await store.logs.append(
        filters.map((filter) => message([filter], 'm')),
        now,
      );
      expect(await store.logs.trim({ messagesMax: 1, bytesMax: 1000 }, now)).toBe(9_999);
      expect(await store.logs.trim({ messagesMax: 0, bytesMax: 1000 }, now)).toBe(1501);
    });

    it('goes on numbering after a filter was dropped and added again', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', 'a');
      await store.logs.append([message(['a'], '1'), message(['a'], '2')], now);
      await store.sessions.unsubscribe(c, ['a']);
      expect(await store.logs.append([message(['a'], 'lost')], now)).toEqual([[0]]);
      expect(await store.logs.read('a', 1, 10, 100, now)).toEqual({ entries: [], lastSequence: 2, firstSequence: 3 });
      expect(await store.sessions.subscribe(c, [subscription('a')])).toEqual([{ filter: 'a', lastSequence: 2 }]);
      await store.logs.trim(noLimits, now);
      expect(await store.logs.append([message(['a'], '3')], now)).toEqual([[3]]);
      expect(await logOf(store, 'a')).toEqual(['3 3']);
      expect((await look(store, 'c'))?.cursors).toEqual([{ filter: 'a', acknowledged: 2, above: [] }]);
    });
  });
}
