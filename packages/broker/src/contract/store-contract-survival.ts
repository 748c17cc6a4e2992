import { describe, expect, it } from 'vitest';
import {
  bytes,
  comparable,
  connect,
  durable,
  filtersOf,
  logOf,
  message,
  now,
  outbound,
  owner,
  retainedTopics,
  type StoreUnderTest,
  subscription,
  text,
} from './store-contract-kit.ts';

export function survivalContract(opened: StoreUnderTest): void {
  describe('over close and open', () => {
    it('keeps the user that owns a session', async (context) => {
      if (opened.reopen === undefined) return context.skip('nothing is left behind by this store');
      await connect(opened.store, 'c', { user: 'alice' });
      const again = await opened.reopen();
      await expect(connect(again, 'c', { user: 'bob', strict: true })).rejects.toMatchObject({ code: 'other-user' });
      await connect(again, 'c', { user: 'alice', strict: true });
    });

    it('keeps everything, and epochs go on growing', async (context) => {
      if (opened.reopen === undefined) return context.skip('nothing is left behind by this store');
      const { store } = opened;
      const key = await durable(store, 'c', 'a', 'b');
      const producer = { clientId: 'c', number: 1 };
      const m = message(['a'], 'm', { producer, inbound: { key, packetId: 3, digest: -3 } });
      await store.logs.append([m, message(['b'], 'x', { expiresAt: now + 1 }), message(['b'], 'y')], now);
      await store.sessions.update(key, {
        outboundSet: [outbound(9, 1), outbound(2, 0)],
        cursors: [{ filter: 'b', acknowledged: 1, above: [], owed: { sequence: 2, qos: 1 } }],
      });
      await store.retained.set('r/1', bytes('kept'), Infinity);
      await store.retained.set(`r/${'l'.repeat(9000)}`, bytes('kept'), Infinity);
      await store.wills.set(key, owner, { record: bytes('w'), delaySeconds: 1 });
      await store.delayed.add(bytes('d'), now);
      const released = await connect(store, 'released', { expiry: 10 });
      await store.sessions.release({ clientId: 'released', epoch: released.epoch }, {}, now);

      const again = await opened.reopen();
      expect(await again.sessions.count()).toBe(2);
      expect(await again.sessions.owners()).toEqual([owner]);
      expect(await filtersOf(again)).toEqual(['a 1', 'b 2']);
      expect(await logOf(again, 'b')).toEqual(['1 x', '2 y']);
      expect(await again.logs.append([m], now)).toEqual([[-1]]);
      expect(await again.logs.append([message(['a'], 'n')], now)).toEqual([[2]]);
      expect(await retainedTopics(again, 'r/+')).toHaveLength(2);
      expect((await again.delayed.takeDue(now, 9)).map(({ record }) => text(record))).toEqual(['d']);
      await again.sessions.releaseOwner(owner, now);
      expect((await again.wills.takeDue(now + 1000, 9)).map(({ clientId }) => clientId)).toEqual(['c']);
      expect(await again.sessions.expire(now + 10_000, 9)).toEqual(['released']);
      const { epoch, session } = await connect(again, 'c');
      expect(epoch).toBeGreaterThan(key.epoch);
      expect(session && comparable(session)).toMatchObject({
        subscriptions: [subscription('a'), subscription('b')],
        cursors: [
          { filter: 'a', acknowledged: 0, above: [] },
          { filter: 'b', acknowledged: 1, above: [], owed: { sequence: 2, qos: 1 } },
        ],
        outbound: [outbound(9, 1), outbound(2, 0)],
        inbound: [{ packetId: 3, producerNumber: 1, digest: -3 }],
        producerNumber: 1,
      });
    });

    it('finds sessions and scheduled wills by the first claim', async (context) => {
      if (opened.reopen === undefined) return context.skip('nothing is left behind by this store');
      const { store } = opened;
      await durable(store, 'crashed', 'a');
      const key = await durable(store, 'willing', 'a');
      await store.wills.set(key, owner, { record: bytes('w'), delaySeconds: 60 });
      await store.wills.schedule(key, now + 60_000);
      await store.sessions.release(key, {}, now);

      const again = await opened.reopen();
      expect((await connect(again, 'crashed')).session?.subscriptions).toEqual([subscription('a')]);
      expect((await connect(again, 'willing', { clean: true })).will?.clientId).toBe('willing');
      expect((await connect(again, 'stranger')).session).toBeNull();
    });
  });
}
