import { describe, expect, it } from 'vitest';
import {
  bytes,
  connect,
  durable,
  now,
  otherOwner,
  owner,
  type StoreUnderTest,
  text,
  type WillsUnderTest,
} from './store-contract-kit.ts';

export function willContract(opened: StoreUnderTest<WillsUnderTest>): void {
  const will = { record: bytes('gone'), delaySeconds: 5 };
  const dueWills = async (at: number): Promise<string[]> =>
    (await opened.store.wills.takeDue(at, 100)).map(({ clientId }) => clientId).sort();

  describe('wills', () => {
    for (const expiry of [0, 3600]) {
      it(`keeps a will while connected, and hands it out when it is due, session expiry ${expiry}`, async () => {
        const { store } = opened;
        const key = { clientId: 'c', epoch: (await connect(store, 'c', { expiry })).epoch };
        await store.wills.set(key, owner, will);
        expect(await dueWills(Number.MAX_SAFE_INTEGER)).toEqual([]);
        await store.wills.schedule(key, now + 5000);
        await store.sessions.release(key, {}, now);
        expect(await dueWills(now + 4999)).toEqual([]);
        const [taken] = await store.wills.takeDue(now + 5000, 10);
        expect({ ...taken, record: text(taken.record) }).toEqual({
          clientId: 'c',
          owner,
          epoch: key.epoch,
          record: 'gone',
          delaySeconds: 5,
          dueAt: now + 5000,
        });
        await store.wills.remove('c', key.epoch);
        expect(await dueWills(Number.MAX_SAFE_INTEGER)).toEqual([]);
      });
    }

    it('hands a will out again after 30 seconds unless it is removed', async () => {
      const { store } = opened;
      for (const name of ['c', 'd']) {
        const key = await durable(store, name);
        await store.wills.set(key, owner, will);
        await store.wills.schedule(key, now);
      }
      expect(await dueWills(now)).toEqual(['c', 'd']);
      expect(await dueWills(now + 29_999)).toEqual([]);
      await store.wills.remove('d', 1_000_000);
      expect(await dueWills(now + 30_000)).toEqual(['c', 'd']);
    });

    it('hands out at most as many as asked, earliest first', async () => {
      const { store } = opened;
      for (const [index, name] of ['c', 'd', 'e'].entries()) {
        const key = await durable(store, name);
        await store.wills.set(key, owner, will);
        await store.wills.schedule(key, now - index);
      }
      expect((await store.wills.takeDue(now, 2)).map(({ clientId }) => clientId)).toEqual(['e', 'd']);
      expect(await dueWills(now)).toEqual(['c']);
    });

    it('replaces and removes the will of a connection', async () => {
      const { store } = opened;
      const key = await durable(store, 'c');
      await store.wills.set(key, owner, will);
      await store.wills.set(key, owner, { record: bytes('new'), delaySeconds: 0 });
      await store.wills.schedule(key, now);
      expect((await store.wills.takeDue(now, 9)).map(({ record }) => text(record))).toEqual(['new']);
      await store.wills.set(key, owner, null);
      await store.wills.schedule(key, now);
      expect(await dueWills(Number.MAX_SAFE_INTEGER)).toEqual([]);
    });

    for (const [expiry, clean] of [
      [0, false],
      [3600, false],
      [3600, true],
    ] as const) {
      it(`tells whoever claims of the will of a connection, session expiry ${expiry}, clean start ${clean}`, async () => {
        const { store } = opened;
        const key = { clientId: 'c', epoch: (await connect(store, 'c', { expiry })).epoch };
        await store.wills.set(key, owner, will);
        const claim = await connect(store, 'c', { expiry, clean, owner: otherOwner });
        expect(claim.will).toMatchObject({ owner, epoch: key.epoch, delaySeconds: 5, dueAt: Infinity });
        expect(text(claim.will?.record ?? bytes(''))).toBe('gone');
        // The will still belongs to the former owner, as long as it is there.
        await store.sessions.releaseOwner(owner, now);
        expect(await dueWills(Number.MAX_SAFE_INTEGER)).toEqual(clean ? [] : ['c']);
      });
    }

    it('makes the wills of a dead owner due after their delay, or at the end of the session', async () => {
      const { store } = opened;
      for (const [name, expiry, by] of [
        ['long', 3600, owner],
        ['short', 2, owner],
        ['ephemeral', 0, owner],
        ['alive', 3600, otherOwner],
      ] as const) {
        const { epoch } = await connect(store, name, { expiry, owner: by });
        await store.wills.set({ clientId: name, epoch }, by, will);
      }
      await store.sessions.releaseOwner(owner, now);
      expect(await store.sessions.owners()).toEqual([otherOwner]);
      expect(await dueWills(now)).toEqual(['ephemeral']);
      expect(await dueWills(now + 2000)).toEqual(['short']);
      expect(await dueWills(now + 4999)).toEqual([]);
      expect(await dueWills(now + 5000)).toEqual(['long']);
    });

    it('names an owner that holds nothing but a will', async () => {
      const { store } = opened;
      const key = { clientId: 'c', epoch: (await connect(store, 'c', { expiry: 0 })).epoch };
      await store.wills.set(key, owner, will);
      await store.sessions.release(key, {}, now);
      expect(await store.sessions.owners()).toEqual([owner]);
      await store.wills.remove('c', key.epoch);
      expect(await store.sessions.owners()).toEqual([]);
    });

    it('drops a scheduled will when the client is back', async () => {
      const { store } = opened;
      const key = await durable(store, 'c');
      await store.wills.set(key, owner, will);
      await store.wills.schedule(key, now + 5000);
      await store.sessions.release(key, {}, now);
      expect((await connect(store, 'c')).will).toBeNull();
      expect(await dueWills(Number.MAX_SAFE_INTEGER)).toEqual([]);
    });

    it('returns a scheduled will to the claim that ends its session', async () => {
      const { store } = opened;
      for (const [name, clean, at] of [
        ['clean', true, now],
        ['expired', false, now + 3_600_000],
      ] as const) {
        const key = await durable(store, name);
        await store.wills.set(key, owner, will);
        await store.wills.schedule(key, now + 9_000_000);
        await store.sessions.release(key, {}, now);
        const claim = await connect(store, name, { clean, at });
        expect(claim.session).toBeNull();
        expect(claim.will).toMatchObject({ clientId: name, epoch: key.epoch, delaySeconds: 5 });
      }
      expect(await dueWills(Number.MAX_SAFE_INTEGER)).toEqual([]);
    });

    it('makes a waiting will due when its session expires or is deleted', async () => {
      const { store } = opened;
      for (const name of ['expires', 'deleted']) {
        const { epoch } = await connect(store, name, { expiry: name === 'expires' ? 1 : 60 });
        await store.wills.set({ clientId: name, epoch }, owner, will);
        await store.wills.schedule({ clientId: name, epoch }, now + 5000);
        await store.sessions.release({ clientId: name, epoch }, {}, now);
      }
      expect(await store.sessions.expire(now + 1000, 10)).toEqual(['expires']);
      await store.sessions.delete('deleted');
      expect(await dueWills(now + 1000)).toEqual(['deleted', 'expires']);
    });
  });
}
