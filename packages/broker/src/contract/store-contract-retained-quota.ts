import { describe, expect, it } from 'vitest';
import type { Charge, Quota } from '../ports/quota.ts';
import type { Store } from '../ports/store.ts';
import { bytes, now, retainedTopics, type StoreUnderTest } from './store-contract-kit.ts';

const unlimited: Quota = { countMax: 1e9, bytesMax: 1e12, userCountMax: 1e9, userBytesMax: 1e12 };

function charge(user: string, quota: Partial<Quota>): Charge {
  return { user, quota: { ...unlimited, ...quota } };
}

function exceeded(limit: string) {
  return { code: 'quota-exceeded', message: expect.stringContaining(limit) };
}

export function retainedQuotaContract(opened: StoreUnderTest<Pick<Store, 'retained'>>): void {
  describe('quotas of retained messages', () => {
    function set(topic: string, size: number | null, paid?: Charge): Promise<void> {
      const record = size === null ? null : bytes('r'.repeat(size));
      return opened.store.retained.set(topic, record, Infinity, paid);
    }

    it('count by user and in all; one that is removed gives its place back, one that replaces its own needs none', async () => {
      const alice = charge('alice', { userCountMax: 2, countMax: 3 });
      const bob = { ...alice, user: 'bob' };
      await set('a/1', 1, alice);
      await set('a/2', 1, alice);
      await expect(set('a/3', 1, alice)).rejects.toMatchObject(
        exceeded('user "alice" may have: limits.retainedMessagesPerUserMax is 2'),
      );
      await set('a/2', 1, alice);
      await set('b/1', 1, bob);
      await expect(set('b/2', 1, bob)).rejects.toMatchObject(exceeded('limits.retainedMessagesMax is 3'));
      expect(await retainedTopics(opened.store, '#')).toEqual(['a/1', 'a/2', 'b/1']);
      await set('a/1', null);
      await set('b/2', 1, bob);
      await expect(set('b/3', 1, bob)).rejects.toMatchObject(exceeded('limits.retainedMessages'));
    });

    it('count bytes by user and in all; what becomes smaller is always taken', async () => {
      const alice = charge('alice', { userBytesMax: 100, bytesMax: 150 });
      const bob = { ...alice, user: 'bob' };
      await set('a/1', 60, alice);
      await set('a/2', 40, alice);
      await expect(set('a/3', 1, alice)).rejects.toMatchObject(exceeded('limits.retainedBytesPerUserMax is 100'));
      await expect(set('a/1', 61, alice)).rejects.toMatchObject(exceeded('limits.retainedBytesPerUserMax is 100'));
      await expect(set('b/1', 51, bob)).rejects.toMatchObject(exceeded('limits.retainedBytesMax is 150'));
      await set('a/1', 10, charge('alice', { userBytesMax: 1 }));
      await set('b/1', 100, bob);
      await expect(set('b/1', 101, bob)).rejects.toMatchObject(exceeded('limits.retainedBytes'));
    });

    it('pass a message from one user to another with the topic', async () => {
      const [alice, bob, nobody] = ['alice', 'bob', ''].map((user) => charge(user, { userCountMax: 1 }));
      await set('a', 1, alice);
      await set('a', 1, bob);
      await set('b', 1, alice);
      await expect(set('b', 1, bob)).rejects.toMatchObject(exceeded('user "bob"'));
      await set('a', 1, nobody);
      await expect(set('b', 1, nobody)).rejects.toMatchObject(exceeded('anonymous clients may have'));
      await set('b', 1, bob);
    });

    it('let no more through when many come at once', async () => {
      const alice = charge('alice', { userCountMax: 10 });
      const topics = Array.from({ length: 100 }, (_, index) => `many/${index}`);
      const results = await Promise.allSettled(topics.map((topic) => set(topic, 1, alice)));
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
      expect(await opened.store.retained.count()).toBe(10);
    });

    it('survive', async (context) => {
      if (opened.reopen === undefined) return context.skip('nothing is left behind by this store');
      const long = `l/${'x'.repeat(9000)}`;
      const alice = charge('alice', { userCountMax: 3 });
      for (const topic of ['a', 'b', long]) await set(topic, 1, alice);
      opened.store = await opened.reopen();
      await expect(set('c', 1, alice)).rejects.toMatchObject(exceeded('limits.retainedMessagesPerUserMax is 3'));
      await set(long, 1, alice);
      await set(long, null);
      await set('c', 1, alice);
      await expect(set('d', 1, alice)).rejects.toMatchObject(exceeded('limits.retainedMessagesPerUserMax is 3'));
    });

    it('are free again when what took them has expired, however many there are', async () => {
      const { retained } = opened.store;
      const quota = { countMax: 1e9, bytesMax: 1e12, userCountMax: 1500, userBytesMax: 1e12 };
      const charge = { user: 'ann', quota };
      const topics = Array.from({ length: 1500 }, (_, index) => `t/${index}`);
      const long = 'l'.repeat(2000);
      await Promise.all(
        topics.map((topic, index) => retained.set(topic, bytes('x'), index % 3 === 0 ? Infinity : now + 10, charge)),
      );
      await retained.set(long, bytes('x'), now + 10);
      await expect(retained.set('more', bytes('x'), Infinity, charge)).rejects.toMatchObject({
        code: 'quota-exceeded',
      });
      let removed = 0;
      for (let call = 0; call < 12; call++) removed += await retained.expire(now + 9);
      expect([removed, await retained.count()]).toEqual([0, 1501]);
      for (let call = 0; call < 12; call++) removed += await retained.expire(now + 10);
      expect([removed, await retained.count()]).toEqual([1001, 500]);
      await retained.set('more', bytes('x'), Infinity, charge);
      expect((await retained.read('t/3', null, 9, now)).entries).toHaveLength(1);
    });
  });
}
