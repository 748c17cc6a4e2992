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
} from './store-contract-kit.ts';

export function owedContract(opened: StoreUnderTest<LogsUnderTest>): void {
  describe('a subscription replaced by one of QoS 0', () => {
    it('keeps its cursor for what is owed, until it is ended [MQTT-3.8.4-4]', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', 'a', 'b');
      await store.logs.append([message(['a'], '1'), message(['a'], '2'), message(['b'], '1')], now);
      expect(await store.sessions.subscribe(c, [subscription('a', 0), subscription('b', 1)])).toEqual([
        { filter: 'a', lastSequence: 2 },
        { filter: 'b', lastSequence: 1 },
      ]);
      const owed = { filter: 'a', acknowledged: 0, above: [2], owed: { sequence: 2, qos: 2 as const } };
      await store.sessions.update(c, { cursors: [owed] });
      await store.logs.trim({ messagesMax: 9, bytesMax: 999 }, now);
      expect(await logOf(store, 'a')).toEqual(['1 1', '2 2']);
      expect((await look(store, 'c'))?.cursors).toEqual([owed, { filter: 'b', acknowledged: 0, above: [] }]);
      const again = await durable(store, 'c');
      await expect(store.sessions.endCursors(c, ['a'])).rejects.toMatchObject({ code: 'fenced' });
      await store.sessions.endCursors(again, ['a', 'b', 'unknown']);
      await store.sessions.endCursors(again, ['a']);
      expect((await look(store, 'c'))?.cursors).toEqual([{ filter: 'b', acknowledged: 0, above: [] }]);
      expect((await look(store, 'c'))?.subscriptions).toEqual([subscription('a', 0), subscription('b', 1)]);
      expect(await filtersOf(store)).toEqual(['b 1']);
    });

    it('forgets what was owed when it has QoS above 0 again', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', 'a');
      await store.logs.append([message(['a'], '1'), message(['a'], '2')], now);
      await store.sessions.subscribe(c, [subscription('a', 0)]);
      await store.sessions.update(c, {
        cursors: [{ filter: 'a', acknowledged: 1, above: [], owed: { sequence: 2, qos: 1 } }],
      });
      expect(await store.sessions.subscribe(c, [subscription('a', 2)])).toEqual([{ filter: 'a', lastSequence: 2 }]);
      await store.sessions.update(c, { cursors: [{ filter: 'a', acknowledged: 1, above: [] }] });
      await store.sessions.endCursors(c, ['a']);
      expect((await look(store, 'c'))?.cursors).toEqual([{ filter: 'a', acknowledged: 1, above: [] }]);
    });
  });
}
