import { describe, expect, it } from 'vitest';
import type { SessionKey } from '../ports/session-key.ts';
import type { Store } from '../ports/store.ts';
import {
  connect,
  durable,
  filtersOf,
  look,
  message,
  now,
  otherOwner,
  outbound,
  owner,
  type StoreUnderTest,
  subscription,
} from './store-contract-kit.ts';

/** Filters: more than a store reads or removes in one step. */
const filterCount = 1500;
const filters = Array.from({ length: filterCount }, (_, index) => `large/${String(index).padStart(4, '0')}`);

/** Sessions that stores read and remove in steps, and what comes between two of these. */
export function largeSessionContract(opened: StoreUnderTest): void {
  describe('sessions that are looked at', () => {
    it('finds a session as it is stored, and leaves its claim', async () => {
      const { store } = opened;
      expect(await store.sessions.find('c')).toBe(null);
      const key = await durable(store, 'c', 'of/1');
      await store.sessions.subscribe(key, [subscription('of/2', 0)]);
      const connected = await store.sessions.find('c');
      expect(connected).toMatchObject({ clientId: 'c', expiresAt: 0 });
      expect(connected?.cursors).toMatchObject([{ filter: 'of/1', above: [] }]);
      const filters = (connected?.subscriptions ?? []).map(({ filter, qos }) => `${filter} ${qos}`);
      expect(filters.sort()).toEqual(['of/1 1', 'of/2 0']);
      await store.sessions.release(key, {}, now);
      expect((await store.sessions.find('c'))?.expiresAt).toBeGreaterThan(now);
      await connect(store, 'e', { expiry: 0 });
      expect(await store.sessions.find('e')).toBe(null);
    });

    it('finds all parts of a large session', async () => {
      const { store } = opened;
      await large(store);
      const session = await store.sessions.find('c');
      expect(session?.subscriptions.map(({ filter }) => filter).sort()).toEqual(filters);
    });
  });

  describe('sessions of thousands of parts', () => {
    it('are claimed whole, each time', async () => {
      const { store } = opened;
      const { epoch } = await large(store);
      await store.sessions.update({ clientId: 'c', epoch }, { outboundSet: [outbound(7, 0), outbound(3, 0)] });
      for (let round = 0; round < 2; round++) {
        const session = await look(store, 'c');
        expect(session?.subscriptions.map(({ filter }) => filter)).toEqual(filters);
        expect(session?.cursors.map(({ filter }) => filter)).toEqual(filters);
        expect(session?.outbound.map(({ packetId }) => packetId)).toEqual([7, 3]);
      }
    });

    it('are returned whole to the last of several claims, whose owner alone writes from then on', async () => {
      const { store } = opened;
      await large(store);
      const claims = await Promise.all([
        connect(store, 'c'),
        connect(store, 'c', { owner: otherOwner }),
        connect(store, 'c'),
      ]);
      expect(claims.map(({ previousOwner }) => previousOwner)).toEqual([owner, owner, otherOwner]);
      expect(claims[2].session?.subscriptions).toHaveLength(filterCount);
      const [first, second, third] = claims.map(({ epoch }) =>
        store.sessions.subscribe({ clientId: 'c', epoch }, [subscription('more')]),
      );
      await expect(first).rejects.toMatchObject({ code: 'fenced' });
      await expect(second).rejects.toMatchObject({ code: 'fenced' });
      await third;
    });

    it('leave nothing behind at a clean start, and its owner is the one before', async () => {
      const { store } = opened;
      await large(store);
      const { session, previousOwner, epoch } = await connect(store, 'c', { clean: true, owner: otherOwner });
      expect({ session, previousOwner }).toEqual({ session: null, previousOwner: owner });
      expect(await filtersOf(store)).toEqual([]);
      await store.sessions.subscribe({ clientId: 'c', epoch }, [subscription(filters[0])]);
      expect((await look(store, 'c'))?.subscriptions).toHaveLength(1);
    });

    it('are ended by a clean start with everything that comes before it is through', async () => {
      const { store } = opened;
      const key = await large(store);
      const clean = connect(store, 'c', { clean: true, owner: otherOwner });
      const written = store.sessions.subscribe(key, [subscription('late')]);
      const taken = connect(store, 'c');
      await expect(written).rejects.toBeInstanceOf(Error);
      await store.logs.append([message([filters[0]], 'meanwhile')], now);
      expect((await clean).session).toBeNull();
      const { session, previousOwner, epoch } = await taken;
      expect(session?.subscriptions ?? []).toEqual([]);
      expect(previousOwner).toBe(otherOwner);
      expect(epoch).toBeGreaterThan((await clean).epoch);
      await store.sessions.subscribe({ clientId: 'c', epoch }, [subscription('new')]);
      expect(await filtersOf(store)).toEqual(['new 0']);
      expect((await look(store, 'c'))?.cursors.map(({ filter }) => filter)).toEqual(['new']);
    });

    it('end with a connection that does not keep them, also where the client is back at once', async () => {
      const { store } = opened;
      const { epoch } = await large(store);
      const released = store.sessions.release({ clientId: 'c', epoch }, { sessionExpirySeconds: 0 }, now);
      const back = await connect(store, 'c');
      expect(back.session).toBeNull();
      await store.sessions.subscribe({ clientId: 'c', epoch: back.epoch }, [subscription('new')]);
      await released;
      expect(await filtersOf(store)).toEqual(['new 0']);
      await store.sessions.release({ clientId: 'c', epoch: back.epoch }, { sessionExpirySeconds: 0 }, now);
      expect(await store.sessions.count()).toBe(0);
      expect(await filtersOf(store)).toEqual([]);
    });

    it('end when they are due, and when they are deleted', async () => {
      const { store } = opened;
      const { epoch } = await large(store);
      await store.sessions.release({ clientId: 'c', epoch }, { sessionExpirySeconds: 60 }, now);
      expect(await store.sessions.expire(now + 59_999, 10)).toEqual([]);
      expect(await store.sessions.expire(now + 60_000, 10)).toEqual(['c']);
      expect(await filtersOf(store)).toEqual([]);
      const key = await large(store);
      const deleted = store.sessions.delete('c');
      await expect(store.sessions.subscribe(key, [subscription('late')])).rejects.toMatchObject({
        code: 'unknown-session',
      });
      await deleted;
      expect(await filtersOf(store)).toEqual([]);
      expect(await store.sessions.count()).toBe(0);
    });
  });
}

/** Connected. */
async function large(store: Store): Promise<SessionKey> {
  const { epoch } = await connect(store, 'c');
  const key = { clientId: 'c', epoch };
  await store.sessions.subscribe(
    key,
    filters.map((filter) => subscription(filter)),
  );
  return key;
}
