import { describe, expect, it } from 'vitest';
import type { Charge, Quota } from '../ports/quota.ts';
import type { Store } from '../ports/store.ts';
import { bytes, now, type StoreUnderTest } from './store-contract-kit.ts';

const unlimited: Quota = { countMax: 1e9, bytesMax: 1e12, userCountMax: 1e9, userBytesMax: 1e12 };

function charge(user: string, quota: Partial<Quota>): Charge {
  return { user, quota: { ...unlimited, ...quota } };
}

function exceeded(limit: string) {
  return { code: 'quota-exceeded', message: expect.stringContaining(limit) };
}

export function delayedQuotaContract(opened: StoreUnderTest<Pick<Store, 'delayed'>>): void {
  describe('quotas of delayed publishes', () => {
    function add(size: number, paid?: Charge): Promise<void> {
      return opened.store.delayed.add(bytes('d'.repeat(size)), now, paid);
    }

    it('count by user and in all, until a message is removed; each is handed out with its user', async () => {
      const alice = charge('alice', { userCountMax: 2, countMax: 3 });
      const bob = { ...alice, user: 'bob' };
      await add(1, alice);
      await add(1, alice);
      await expect(add(1, alice)).rejects.toMatchObject(
        exceeded('user "alice" may have: limits.delayedMessagesPerUserMax is 2'),
      );
      await add(1, bob);
      await expect(add(1, bob)).rejects.toMatchObject(exceeded('limits.delayedMessagesMax is 3'));
      const due = await opened.store.delayed.takeDue(now, 10);
      expect(due.map(({ user }) => user).sort()).toEqual(['alice', 'alice', 'bob']);
      await expect(add(1, bob)).rejects.toMatchObject(exceeded('limits.delayedMessagesMax is 3'));
      for (const { id, user } of due) if (user === 'alice') await opened.store.delayed.remove(id);
      await add(1, alice);
      await add(1, bob);
      await expect(add(1, bob)).rejects.toMatchObject(exceeded('limits.delayedMessages'));
    });

    it('count bytes by user and in all', async () => {
      const alice = charge('alice', { userBytesMax: 100, bytesMax: 150 });
      await add(60, alice);
      await expect(add(41, alice)).rejects.toMatchObject(exceeded('limits.delayedBytesPerUserMax is 100'));
      await add(40, alice);
      await expect(add(51, { ...alice, user: '' })).rejects.toMatchObject(exceeded('limits.delayedBytesMax is 150'));
      await add(50, { ...alice, user: '' });
    });

    it('let no more through when many come at once', async () => {
      const alice = charge('alice', { userCountMax: 10 });
      const results = await Promise.allSettled(Array.from({ length: 100 }, () => add(1, alice)));
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
      expect(await opened.store.delayed.takeDue(now, 100)).toHaveLength(10);
    });

    it('survive', async (context) => {
      if (opened.reopen === undefined) return context.skip('nothing is left behind by this store');
      const alice = charge('alice', { userCountMax: 2 });
      await add(1, alice);
      await add(1, alice);
      opened.store = await opened.reopen();
      await expect(add(1, alice)).rejects.toMatchObject(exceeded('limits.delayedMessagesPerUserMax is 2'));
      const [{ id, user }] = await opened.store.delayed.takeDue(now, 1);
      expect(user).toBe('alice');
      await opened.store.delayed.remove(id);
      await opened.store.delayed.remove(id);
      await add(1, alice);
      await expect(add(1, alice)).rejects.toMatchObject(exceeded('limits.delayedMessagesPerUserMax is 2'));
    });
  });
}
