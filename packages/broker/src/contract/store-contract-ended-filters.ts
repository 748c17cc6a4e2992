import { describe, expect, it } from 'vitest';
import { durable, type LogsUnderTest, message, now, type StoreUnderTest, subscription } from './store-contract-kit.ts';

const noLimits = { messagesMax: 1e9, bytesMax: 1e12 };

export function endedFilterContract(opened: StoreUnderTest<LogsUnderTest>): void {
  describe('filters that come and go by the thousand', () => {
    it('never get a number twice, and others go on as they were', async () => {
      const { store } = opened;
      const { logs, sessions } = store;
      const key = await durable(store, 'c', 'stays');
      expect(await logs.append([message(['stays'], '1'), message(['stays'], '2')], now)).toEqual([[1], [2]]);
      const filters = Array.from({ length: 3000 }, (_, index) => `f/${index}`);
      const given = new Map<string, number>();
      for (let round = 0; round < 3; round++) {
        const ends = await sessions.subscribe(
          key,
          filters.map((filter) => subscription(filter)),
        );
        // Logs of different lengths: what is forgotten of one must not be given again by another.
        const twice = filters.filter((_, index) => index % 7 === round);
        const appended = await logs.append([message(filters, 'x'), message(twice, 'y')], now);
        filters.forEach((filter, index) => {
          const number = appended[0][index];
          expect(ends[index].lastSequence).toBeGreaterThanOrEqual(given.get(filter) ?? 0);
          expect(number).toBe(ends[index].lastSequence + 1);
          given.set(filter, number);
        });
        twice.forEach((filter, index) => void given.set(filter, appended[1][index]));
        await sessions.unsubscribe(key, filters);
        await logs.trim(noLimits, now);
        const page = await logs.read('f/2999', 1, 10, 1000, now);
        expect(page.entries).toEqual([]);
        expect(page.lastSequence).toBeGreaterThanOrEqual(given.get('f/2999') ?? 0);
        expect(page.firstSequence).toBe(page.lastSequence + 1);
      }
      expect(await logs.append([message(['stays'], '3')], now)).toEqual([[3]]);
      expect((await logs.durableFilters()).map(({ filter }) => filter)).toEqual(['stays']);
    });
  });
}
