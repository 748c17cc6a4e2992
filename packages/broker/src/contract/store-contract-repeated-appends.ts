import { describe, expect, it } from 'vitest';
import type { AppendRequest, AppendResult } from '../ports/log-store.ts';
import {
  connect,
  durable,
  type LogsUnderTest,
  logOf,
  look,
  message,
  now,
  type StoreUnderTest,
  subscription,
} from './store-contract-kit.ts';

const fenced = { code: 'fenced' };

/** A writer that repeats each of its batches as often as it likes. */
function writer(
  store: LogsUnderTest,
  name: string,
): (batch: number, requests: AppendRequest[]) => Promise<AppendResult[]> {
  return (batch, requests) => store.logs.append(requests, now, { writer: name, batch });
}

function many(count: number, filters: (index: number) => string[], size = 0): AppendRequest[] {
  return Array.from({ length: count }, (_, index) => message(filters(index), `${index}${'.'.repeat(size)}`));
}

/** Seen to fail with a store that remembers no batch. */
export function repeatedAppendContract(opened: StoreUnderTest<LogsUnderTest>): void {
  describe('appends that are given again', () => {
    it('appends a batch once, and answers with the numbers it has', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a', 'b');
      const append = writer(store, 'w');
      const batch = [message(['a', 'b', 'x'], '1'), message(['b'], '2'), message([], '3')];
      expect(await append(1, batch)).toEqual([[1, 1, 0], [2], []]);
      for (let again = 0; again < 3; again++) expect(await append(1, batch)).toEqual([[-1, -1, 0], [-2], []]);
      expect(await append(2, batch)).toEqual([[2, 3, 0], [4], []]);
      expect(await append(2, batch)).toEqual([[-2, -3, 0], [-4], []]);
      expect(await logOf(store, 'b')).toEqual(['1 1', '2 2', '3 1', '4 2']);
    });

    it('appends it once also while the first attempt is under way', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a');
      const append = writer(store, 'w');
      const attempts = Array.from({ length: 3 }, () => append(1, [message(['a'], 'm'), message(['a'], 'n')]));
      expect(await Promise.all(attempts)).toEqual([
        [[1], [2]],
        [[-1], [-2]],
        [[-1], [-2]],
      ]);
      expect(await logOf(store, 'a')).toEqual(['1 m', '2 n']);
    });

    it('knows it again after others have appended in between', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a', 'b');
      const [one, other] = [writer(store, 'one'), writer(store, 'other')];
      expect(await one(5, [message(['a'], 'one 5')])).toEqual([[1]]);
      for (let batch = 1; batch <= 5; batch++) await other(batch, [message(['b', 'a'], `other ${batch}`)]);
      await store.logs.append([message(['a'], 'nobody')], now);
      expect(await one(5, [message(['a'], 'one 5')])).toEqual([[-1]]);
      expect(await other(5, [message(['b', 'a'], 'other 5')])).toEqual([[-5, -6]]);
      expect(await one(6, [message(['a'], 'one 6')])).toEqual([[8]]);
      expect(await logOf(store, 'b')).toHaveLength(5);
    });

    it('refuses a batch that comes behind a later one, whatever it consists of', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a');
      const append = writer(store, 'w');
      expect(await append(1, [message(['a'], '1')])).toEqual([[1]]);
      expect(await append(2, [message(['a'], '2')])).toEqual([[2]]);
      await expect(append(1, [message(['a'], '1')])).rejects.toMatchObject(fenced);
      await expect(append(1, [message(['a'], 'never given before')])).rejects.toMatchObject(fenced);
      expect(await append(2, [message(['a'], '2')])).toEqual([[-2]]);
      expect(await append(3, [message(['a'], '3')])).toEqual([[3]]);
      expect(await logOf(store, 'a')).toEqual(['1 1', '2 2', '3 3']);
    });

    it('knows messages for many logs, one and several of them', async () => {
      const { store } = opened;
      const filters = Array.from({ length: 300 }, (_, index) => `f/${index}`);
      await durable(store, 'c', ...filters);
      const append = writer(store, 'w');
      const batch = [
        message(filters, 'to all'),
        ...many(900, (index) => [filters[index % 300], filters[(index + 7) % 300]]),
      ];
      const first = await append(1, batch);
      expect(first.flat()).not.toContain(0);
      expect(await append(1, batch)).toEqual(negated(first));
      for (const filter of filters) expect(await logOf(store, filter)).toHaveLength(7);
      expect(await append(2, [message(filters, 'next')])).toEqual([filters.map(() => 8)]);
    });

    it.each([
      ['many messages', 12_000, 0],
      ['large messages', 60, 100_000],
    ])('knows a batch of %s', async (_what, count, size) => {
      const { store } = opened;
      await durable(store, 'c', 'a', 'b', 'd');
      const append = writer(store, 'w');
      const batch = many(count, (index) => (index % 3 === 0 ? ['b', 'a'] : ['a', 'd']), size);
      const first = await append(1, batch);
      expect(first.map((result, index) => result[index % 3 === 0 ? 1 : 0])).toEqual(batch.map((_, index) => index + 1));
      expect(await append(1, batch)).toEqual(negated(first));
      expect(await logOf(store, 'a')).toHaveLength(count);
      expect(await logOf(store, 'd')).toHaveLength((count * 2) / 3);
      expect(await append(2, [message(['a'], 'next')])).toEqual([[count + 1]]);
    });

    it('answers as it did where a filter has become durable since, or is no longer', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', 'a', 'b');
      const append = writer(store, 'w');
      const batch = [message(['a', 'late', 'b'], 'm')];
      expect(await append(1, batch)).toEqual([[1, 0, 1]]);
      await store.sessions.unsubscribe(c, ['a']);
      await store.sessions.subscribe(c, [subscription('late')]);
      expect(await append(1, batch)).toEqual([[-1, 0, -1]]);
      await store.sessions.subscribe(c, [subscription('a')]);
      expect(await append(1, batch)).toEqual([[-1, 0, -1]]);
      expect(await logOf(store, 'a')).toEqual([]);
      expect(await logOf(store, 'late')).toEqual([]);
      expect(await append(2, batch)).toEqual([[2, 1, 2]]);
    });

    it('knows messages with and without producers in one batch', async () => {
      const { store } = opened;
      const key = await durable(store, 'c', 'a', 'b');
      const append = writer(store, 'w');
      const producer = { clientId: 'c', number: 1 };
      const produced = message(['a', 'b'], 'produced', { producer, inbound: { key, packetId: 9, digest: -9 } });
      const batch = [message(['a'], 'x'), produced, message(['a'], 'y'), message(['b', 'a'], 'z')];
      expect(await append(1, batch)).toEqual([[1], [2, 1], [3], [2, 4]]);
      expect(await append(1, batch)).toEqual([[-1], [-2, -1], [-3], [-2, -4]]);
      // The publisher sends it once more, through another worker.
      expect(await append(2, [message(['a'], 'v'), produced])).toEqual([[5], [-2, -1]]);
      expect(await append(2, [message(['a'], 'v'), produced])).toEqual([[-5], [-2, -1]]);
      expect(await logOf(store, 'a')).toEqual(['1 x', '2 produced', '3 y', '4 z', '5 v']);
      expect((await look(store, 'c'))?.inbound).toEqual([{ packetId: 9, producerNumber: 1, digest: -9 }]);
    });

    it('knows the rest of a batch when a session of it has moved since', async () => {
      const { store } = opened;
      const key = await durable(store, 'c', 'a', 'b');
      const append = writer(store, 'w');
      const moving = (number: number): AppendRequest =>
        message(['a', 'b'], `moving ${number}`, {
          producer: { clientId: 'c', number },
          inbound: { key, packetId: number, digest: -number },
        });
      const batch = [message(['a'], 'x'), moving(1), message(['a', 'b'], 'y'), moving(2), message(['b'], 'z')];
      expect(await append(1, batch)).toEqual([[1], [2, 1], [3, 2], [4, 3], [4]]);
      await connect(store, 'c');
      expect(await append(1, batch)).toEqual([[-1], [], [-3, -2], [], [-4]]);
      // A session that had moved before the first attempt gets no number.
      expect(await append(2, batch)).toEqual([[5], [], [6, 5], [], [6]]);
      expect(await append(2, batch)).toEqual([[-5], [], [-6, -5], [], [-6]]);
      expect(await logOf(store, 'b')).toEqual(['1 moving 1', '2 y', '3 moving 2', '4 z', '5 y', '6 z']);
    });

    it('appends in the order of the calls, with an origin or without', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a', 'b');
      const append = writer(store, 'w');
      const results = await Promise.all([
        store.logs.append([message(['a'], '1')], now),
        append(1, [message(['a', 'b'], '2')]),
        store.logs.append([message(['a'], '3')], now),
        append(1, [message(['a', 'b'], '2')]),
        store.logs.append([message(['b'], '4')], now),
      ]);
      expect(results).toEqual([[[1]], [[2, 1]], [[3]], [[-2, -1]], [[2]]]);
      expect(await logOf(store, 'a')).toEqual(['1 1', '2 2', '3 3']);
    });
  });
}

function negated(results: readonly AppendResult[]): AppendResult[] {
  return results.map((result) => result.map((number) => -number));
}
