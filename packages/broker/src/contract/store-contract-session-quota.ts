import { describe, expect, it } from 'vitest';
import type { Quota } from '../ports/quota.ts';
import type { Claim } from '../ports/session-store.ts';
import { connect, now, type StoreUnderTest } from './store-contract-kit.ts';

const unlimited: Quota = { countMax: 1e9, bytesMax: 1e12, userCountMax: 1e9, userBytesMax: 1e12 };

function exceeded(limit: string) {
  return { code: 'quota-exceeded', message: expect.stringContaining(limit) };
}

export function sessionQuotaContract(opened: StoreUnderTest): void {
  describe('quotas of sessions', () => {
    function claim(
      clientId: string,
      user: string,
      limits: Partial<Quota>,
      more: { expiry?: number; clean?: boolean } = {},
    ): Promise<Claim> {
      return connect(opened.store, clientId, { user, quota: { ...unlimited, ...limits }, ...more });
    }

    it('count by user and in all, until a session ends', async () => {
      const limits = { userCountMax: 2, countMax: 3 };
      await claim('a1', 'alice', limits);
      const second = await claim('a2', 'alice', limits);
      await expect(claim('a3', 'alice', limits)).rejects.toMatchObject(
        exceeded('user "alice" may have: limits.sessionsPerUserMax is 2'),
      );
      // A session that goes on, or is replaced, is none more; nor is one that ends with its connection.
      expect((await claim('a1', 'alice', limits)).session).not.toBeNull();
      await claim('a1', 'alice', limits, { clean: true });
      await claim('a4', 'alice', limits, { expiry: 0 });
      await claim('b1', 'bob', limits);
      await expect(claim('b2', 'bob', limits)).rejects.toMatchObject(exceeded('limits.sessionsStoredMax is 3'));
      expect(await opened.store.sessions.count()).toBe(3);
      await opened.store.sessions.delete('a1');
      await claim('a3', 'alice', limits);
      // Expired, or replaced by one that is not stored.
      await opened.store.sessions.release({ clientId: 'a2', epoch: second.epoch }, {}, now);
      await opened.store.sessions.expire(now + 3_600_000, 10);
      await claim('a3', 'alice', limits, { clean: true, expiry: 0 });
      await claim('b2', 'bob', limits);
      await claim('a5', 'alice', limits);
      await expect(claim('a6', 'alice', limits)).rejects.toMatchObject(exceeded('limits.sessions'));
    });

    it('change nothing when they refuse', async () => {
      await claim('a', 'alice', { userCountMax: 1 });
      const { epoch } = await claim('other', 'alice', { userCountMax: 1 }, { expiry: 0 });
      await expect(claim('other', 'alice', { userCountMax: 1 })).rejects.toMatchObject(exceeded('user "alice"'));
      await opened.store.sessions.release({ clientId: 'other', epoch }, {}, now);
      expect(await opened.store.sessions.count()).toBe(1);
    });

    it('pass a session to the user who claims it', async () => {
      const limits = { userCountMax: 1 };
      await claim('c', 'alice', limits);
      await claim('c', 'bob', limits);
      await expect(claim('d', 'bob', limits)).rejects.toMatchObject(exceeded('user "bob"'));
      await claim('d', 'alice', limits);
      await expect(claim('c', 'alice', limits)).rejects.toMatchObject(exceeded('user "alice"'));
      await claim('c', '', limits);
      await expect(claim('e', '', limits)).rejects.toMatchObject(exceeded('anonymous clients'));
      await claim('e', 'bob', limits);
    });

    it('let no more through when many come at once', async () => {
      const clients = Array.from({ length: 100 }, (_, index) => `c${index}`);
      const results = await Promise.allSettled(clients.map((client) => claim(client, 'alice', { userCountMax: 10 })));
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
      expect(await opened.store.sessions.count()).toBe(10);
    });

    it('survive', async (context) => {
      if (opened.reopen === undefined) return context.skip('nothing is left behind by this store');
      const limits = { userCountMax: 2 };
      for (const client of ['a', 'b']) await claim(client, 'alice', limits);
      opened.store = await opened.reopen();
      await expect(claim('c', 'alice', limits)).rejects.toMatchObject(exceeded('limits.sessionsPerUserMax is 2'));
      await opened.store.sessions.delete('a');
      await claim('c', 'alice', limits);
    });
  });
}
