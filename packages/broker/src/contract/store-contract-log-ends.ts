import { describe, expect, it } from 'vitest';
import { durable, type LogsUnderTest, message, now, type StoreUnderTest } from './store-contract-kit.ts';

export function logEndsContract(opened: StoreUnderTest<LogsUnderTest>): void {
  describe('ends of logs', () => {
    it('are told in the order of the filters, 0 where there is no log', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a', 'b', 'a/#');
      await store.logs.append([message(['a', 'b'], 'x'), message(['b'], 'y')], now);
      expect(await store.logs.ends(['b', 'none', 'a/#', 'a'])).toEqual([2, 0, 0, 1]);
      expect(await store.logs.ends([])).toEqual([]);
      const many = Array.from({ length: 1000 }, (_, index) => (index === 500 ? 'b' : `none/${index}`));
      expect((await store.logs.ends(many)).map((end, index) => (end > 0 ? `${index}: ${end}` : '')).join('')).toBe(
        '500: 2',
      );
    });

    it('stand when their messages were trimmed', async () => {
      const { store } = opened;
      const key = await durable(store, 'c', 'a');
      await store.logs.append([message(['a'], 'x'), message(['a'], 'y')], now);
      await store.sessions.update(key, { cursors: [{ filter: 'a', acknowledged: 2, above: [] }] });
      await store.logs.trim({ messagesMax: 1e9, bytesMax: 1e12 }, now);
      expect(await store.logs.ends(['a'])).toEqual([2]);
    });
  });
}
