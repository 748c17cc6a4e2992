import { describe, expect, it } from 'vitest';
import type { Ban, BanStore, BanTarget } from '../ports/ban-store.ts';
import type { Store } from '../ports/store.ts';
import { now, type StoreUnderTest } from './store-contract-kit.ts';

const nobody: BanTarget = { clientId: null, userName: null, address: null };

function ban(target: Partial<BanTarget>, more: Partial<Ban> = {}): Ban {
  return { ...nobody, ...target, reason: 'guessed passwords', by: 'ann', createdAt: now, endsAt: Infinity, ...more };
}

/** All bans, in the order in which they come. */
async function allOf(bans: BanStore, limit = 100): Promise<Ban[]> {
  const found: Ban[] = [];
  let page = await bans.changes(null, limit);
  expect(page.isWhole).toBe(true);
  for (;;) {
    expect(page.bans.length).toBeLessThanOrEqual(limit);
    found.push(...page.bans);
    if (!page.hasMore) return found;
    page = await bans.changes(page.place, limit);
    expect(page.isWhole).toBe(false);
  }
}

export function banContract(opened: StoreUnderTest<Pick<Store, 'bans'>>): void {
  describe('bans', () => {
    it('keeps them as they were given, and replaces those with the same names', async () => {
      const { bans } = opened.store;
      const all = [
        ban({ clientId: 'ü/1' }),
        ban({ userName: '' }, { endsAt: now + 5, reason: '' }),
        ban({ clientId: 'c', userName: 'u', address: '2001:db8::/64' }),
        ban({ clientId: 'x'.repeat(60_000) }),
      ];
      await Promise.all(all.map((each) => bans.put(each)));
      expect(await allOf(bans)).toEqual(all);
      expect(await allOf(bans, 1)).toEqual(all);
      const longer = ban({ clientId: 'ü/1' }, { endsAt: now + 1, by: 'bob' });
      await bans.put(longer);
      expect(await allOf(bans, 3)).toEqual([...all.slice(1), longer]);
    });

    it('says what was put since, and everything again after a removal', async () => {
      const { bans } = opened.store;
      const [first, second, third] = ['1', '2', '3'].map((clientId) => ban({ clientId }));
      const { place: start } = await bans.changes(null, 10);
      await bans.put(first);
      const one = await bans.changes(start, 10);
      expect(one).toMatchObject({ bans: [first], isWhole: false, hasMore: false });
      await Promise.all([bans.put(second), bans.put(third)]);
      const two = await bans.changes(one.place, 1);
      expect(two).toMatchObject({ bans: [second], isWhole: false, hasMore: true });
      const three = await bans.changes(two.place, 1);
      expect(three).toMatchObject({ bans: [third], isWhole: false, hasMore: false });
      expect(await bans.changes(three.place, 1)).toEqual({ ...three, bans: [] });
      expect(await bans.remove({ ...nobody, userName: '2' })).toBe(false);
      expect(await bans.remove({ ...nobody, clientId: '2' })).toBe(true);
      expect(await bans.remove({ ...nobody, clientId: '2' })).toBe(false);
      expect(await bans.changes(three.place, 10)).toMatchObject({ bans: [first, third], isWhole: true });
      expect(await bans.changes({ ...start, changes: 1e9 }, 10)).toMatchObject({ isWhole: true });
    });

    it('removes those that have ended, without a word', async () => {
      const { bans } = opened.store;
      const lasting = ban({ clientId: 'lasting' });
      const later = ban({ clientId: 'later' }, { endsAt: now + 20 });
      const early = [1, 2, 3].map((at) => ban({ clientId: `${at}` }, { endsAt: now + at }));
      await Promise.all([lasting, later, ...early].map((each) => bans.put(each)));
      const { place } = await bans.changes(null, 10);
      expect(await bans.expire(now, 10)).toBe(0);
      expect(await bans.expire(now + 3, 2)).toBe(2);
      expect(await bans.expire(now + 3, 2)).toBe(1);
      expect(await allOf(bans)).toEqual([lasting, later]);
      expect(await bans.changes(place, 10)).toMatchObject({ bans: [], isWhole: false });
      await bans.put({ ...later, endsAt: Infinity });
      expect(await bans.expire(now + 100, 10)).toBe(0);
      expect(await bans.remove(lasting)).toBe(true);
    });

    it('has them after it was closed and opened', async (test) => {
      if (opened.reopen === undefined) return test.skip();
      const one = ban({ address: '192.0.2.0/24' }, { endsAt: now + 1 });
      await opened.store.bans.put(one);
      const { place } = await opened.store.bans.changes(null, 10);
      const { bans } = await opened.reopen();
      expect(await bans.changes(place, 10)).toEqual({ bans: [], isWhole: false, place, hasMore: false });
      expect(await allOf(bans)).toEqual([one]);
    });
  });
}
