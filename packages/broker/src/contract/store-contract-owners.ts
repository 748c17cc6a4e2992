import { describe, expect, it } from 'vitest';
import {
  comparable,
  connect,
  now,
  otherOwner,
  outbound,
  owner,
  type StoreUnderTest,
  subscription,
} from './store-contract-kit.ts';

const otherUser = { code: 'other-user' };

/** Users that own claims and sessions. */
export function ownerContract(opened: StoreUnderTest): void {
  describe('users that own client identifiers', () => {
    for (const expiry of [0, 3600]) {
      for (const clean of [false, true]) {
        it(`refuses a claim of another user, session expiry ${expiry}, clean start ${clean}`, async () => {
          const { store } = opened;
          const first = await connect(store, 'c', { expiry, user: 'alice' });
          const bob = { owner: otherOwner, expiry, clean, user: 'bob', strict: true };
          await expect(connect(store, 'c', bob)).rejects.toMatchObject(otherUser);
          await expect(connect(store, 'c', { ...bob, user: '' })).rejects.toMatchObject(otherUser);
          const again = await connect(store, 'c', { expiry, user: 'alice', strict: true });
          expect(again.previousOwner).toBe(owner);
          expect(again.epoch).toBeGreaterThan(first.epoch);
        });
      }

      it(`decides between users that claim in one turn, session expiry ${expiry}`, async () => {
        const { store } = opened;
        const users = ['alice', 'bob', 'carol', 'alice', 'bob'];
        const claims = await Promise.allSettled(
          users.map((user) => connect(store, 'c', { expiry, user, strict: true, owner: `n/${user}#1` })),
        );
        expect(claims.map(({ status }) => status)).toEqual(
          users.map((user) => (user === 'alice' ? 'fulfilled' : 'rejected')),
        );
      });

      it(`gives to anybody what nobody owns, session expiry ${expiry}`, async () => {
        const { store } = opened;
        await connect(store, 'c', { expiry });
        await connect(store, 'c', { expiry, user: '', strict: true });
        await connect(store, 'c', { expiry, user: 'alice', strict: true });
        await expect(connect(store, 'c', { expiry, user: 'bob', strict: true })).rejects.toMatchObject(otherUser);
      });

      it(`gives a claim to the last user where anybody may have it, session expiry ${expiry}`, async () => {
        const { store } = opened;
        await connect(store, 'c', { expiry, user: 'alice' });
        await connect(store, 'c', { expiry, user: 'bob' });
        await expect(connect(store, 'c', { expiry, user: 'alice', strict: true })).rejects.toMatchObject(otherUser);
        await connect(store, 'c', { expiry, user: 'bob', strict: true });
      });
    }

    it('leaves the session of another user as it is', async () => {
      const { store } = opened;
      const { epoch } = await connect(store, 'c', { user: 'alice' });
      const key = { clientId: 'c', epoch };
      await store.sessions.subscribe(key, [subscription('a/#')]);
      await store.sessions.update(key, { outboundSet: [outbound(1, 0)] });
      const bob = { owner: otherOwner, user: 'bob', strict: true };
      for (const clean of [false, true])
        await expect(connect(store, 'c', { ...bob, clean })).rejects.toMatchObject(otherUser);
      await store.sessions.update(key, { sessionExpirySeconds: 60 });
      await store.sessions.release(key, {}, now);
      for (const clean of [false, true])
        await expect(connect(store, 'c', { ...bob, clean })).rejects.toMatchObject(otherUser);
      const { session } = await connect(store, 'c', { user: 'alice', strict: true });
      expect(session === null ? null : comparable(session)).toMatchObject({
        sessionExpirySeconds: 60,
        expiresAt: now + 60_000,
        subscriptions: [subscription('a/#')],
        outbound: [outbound(1, 0)],
      });
    });

    it('knows the owner of a session over many claims, and forgets it with the session', async () => {
      const { store } = opened;
      for (let i = 0; i < 3; i++) {
        const { epoch } = await connect(store, 'c', { user: 'alice', strict: true, expiry: 60 });
        await store.sessions.release({ clientId: 'c', epoch }, {}, now);
      }
      const bob = { user: 'bob', strict: true };
      await expect(connect(store, 'c', { ...bob, at: now + 59_000 })).rejects.toMatchObject(otherUser);
      expect((await connect(store, 'c', { ...bob, at: now + 61_000 })).session).toBeNull();
      await expect(connect(store, 'c', { user: 'alice', strict: true })).rejects.toMatchObject(otherUser);
      await store.sessions.delete('c');
      await connect(store, 'c', { user: 'carol', strict: true, expiry: 0 });
    });

    it('forgets the owner of a connection without a session when it ends', async () => {
      const { store } = opened;
      const { epoch } = await connect(store, 'c', { user: 'alice', expiry: 0 });
      await store.sessions.release({ clientId: 'c', epoch }, {}, now);
      await connect(store, 'c', { user: 'bob', strict: true, expiry: 0 });
      await store.sessions.releaseOwner(owner, now);
      await connect(store, 'c', { user: 'carol', strict: true, expiry: 0 });
    });

    it('keeps the owner when a session becomes one without expiry, and the other way round', async () => {
      const { store } = opened;
      const bob = { user: 'bob', strict: true };
      await connect(store, 'c', { user: 'alice', strict: true, expiry: 0 });
      await connect(store, 'c', { user: 'alice', strict: true, expiry: 60 });
      await expect(connect(store, 'c', bob)).rejects.toMatchObject(otherUser);
      await connect(store, 'c', { user: 'alice', strict: true, expiry: 0 });
      await expect(connect(store, 'c', bob)).rejects.toMatchObject(otherUser);
      const { epoch } = await connect(store, 'c', { user: 'alice', strict: true, expiry: 0, clean: true });
      await expect(connect(store, 'c', bob)).rejects.toMatchObject(otherUser);
      await store.sessions.release({ clientId: 'c', epoch }, {}, now);
      await connect(store, 'c', bob);
    });
  });
}
