import { describe, expect, it } from 'vitest';
import { bytes, connect, durable, nextDue, now, owner, type StoreUnderTest } from './store-contract-kit.ts';

export function dueContract(opened: StoreUnderTest): void {
  const will = { record: bytes('gone'), delaySeconds: 5 };

  describe('what is due', () => {
    const nothing = { sessions: Infinity, wills: Infinity, delayed: Infinity };

    it('gives the time of each job, until it is done', async () => {
      const { store } = opened;
      await store.delayed.add(bytes('d'), now + 10);
      const { epoch } = await connect(store, 'ended', { expiry: 20 });
      await store.sessions.release({ clientId: 'ended', epoch }, {}, now);
      const dead = await durable(store, 'dead');
      await store.wills.set(dead, owner, will);
      await store.wills.schedule(dead, now + 30_000);
      expect(await nextDue(store, now + 9)).toEqual(nothing);
      expect(await nextDue(store, now + 10)).toEqual({ ...nothing, delayed: now + 10 });
      await store.delayed.takeDue(now + 10, 10);
      expect(await nextDue(store, now + 20_500)).toEqual({ ...nothing, sessions: now + 20_000 });
      await store.sessions.expire(now + 20_000, 10);
      expect(await nextDue(store, now + 20_000)).toEqual(nothing);
      expect(await nextDue(store, now + 30_000)).toEqual({ ...nothing, wills: now + 30_000 });
      await store.wills.takeDue(now + 30_000, 10);
      // Handed out, and not removed: it is due again.
      expect(await nextDue(store, now + 30_009)).toEqual(nothing);
      const again = { sessions: Infinity, wills: now + 60_000, delayed: now + 30_010 };
      expect(await nextDue(store, now + 60_000)).toEqual(again);
    });
  });
}
