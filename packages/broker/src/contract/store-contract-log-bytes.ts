import { describe, expect, it } from 'vitest';
import { durable, type LogsUnderTest, logOf, message, now, type StoreUnderTest } from './store-contract-kit.ts';

const noLimits = { messagesMax: 1e9, bytesMax: 1e12 };

export function logBytesContract(opened: StoreUnderTest<LogsUnderTest>): void {
  describe('bytes of all logs', () => {
    async function fill(filter: string, messages: number, payloadBytes = 100): Promise<void> {
      const record = 'x'.repeat(payloadBytes);
      await opened.store.logs.append(
        Array.from({ length: messages }, () => message([filter], record)),
        now,
      );
    }

    it('are counted in each log that has a message, until it is trimmed or the filter is durable no more', async () => {
      const { store } = opened;
      const { logs, sessions } = store;
      expect(await logs.bytes()).toBe(0);
      const c = await durable(store, 'c', 'a', 'b', 'a/#');
      await logs.append([message(['a', 'a/#'], 'x'.repeat(2000)), message(['b', 'gone'], 'xyz')], now);
      expect(await logs.bytes()).toBe(4003);
      await sessions.update(c, { cursors: [{ filter: 'a', acknowledged: 1, above: [] }] });
      await logs.trim(noLimits, now);
      expect(await logs.bytes()).toBe(2003);
      await sessions.unsubscribe(c, ['b']);
      expect(await logs.bytes()).toBe(2000);
      await sessions.delete('c');
      await logs.trim(noLimits, now);
      expect(await logs.bytes()).toBe(0);
      await durable(store, 'd', 'b');
      await fill('b', 3);
      expect(await logs.bytes()).toBe(300);
    });

    it('over their limit the largest logs are cut to one size, oldest first, and smaller ones keep everything', async () => {
      const { store } = opened;
      const { logs } = store;
      await durable(store, 'c', 'small', 'large', 'largest');
      await fill('small', 5);
      await fill('large', 50);
      await fill('largest', 100);
      const limits = { ...noLimits, totalBytesMax: 6500 };
      expect(await logs.trim(limits, now)).toBe(90);
      expect(await logs.bytes()).toBe(6500);
      expect(await logOf(store, 'small')).toHaveLength(5);
      const numbers = async (filter: string): Promise<string[]> =>
        (await logOf(store, filter)).map((entry) => entry.split(' ')[0]);
      expect([(await numbers('large')).length, (await numbers('large'))[0]]).toEqual([30, '21']);
      expect([(await numbers('largest')).length, (await numbers('largest'))[0]]).toEqual([30, '71']);
      expect(await logs.trim(limits, now)).toBe(0);
    });

    it('many small logs are cut as well, where all of them are too much', async () => {
      const { store } = opened;
      const { logs } = store;
      const filters = Array.from({ length: 1500 }, (_, index) => `f/${index}`);
      await durable(store, 'c', ...filters);
      await logs.append(
        filters.flatMap((filter) => [message([filter], 'x'.repeat(10)), message([filter], 'x'.repeat(10))]),
        now,
      );
      expect(await logs.bytes()).toBe(30_000);
      expect(await logs.trim({ ...noLimits, totalBytesMax: 16_000 }, now)).toBe(1500);
      expect(await logs.bytes()).toBe(15_000);
    });
  });
}
