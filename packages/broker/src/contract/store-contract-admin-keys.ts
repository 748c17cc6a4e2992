import { describe, expect, it } from 'vitest';
import type { AdminKey } from '../ports/admin-key-store.ts';
import type { Store } from '../ports/store.ts';
import { now, type StoreUnderTest } from './store-contract-kit.ts';

function key(name: string, more: Partial<AdminKey> = {}): AdminKey {
  return { name, scope: 'read', hash: 'ab'.repeat(32), by: 'ann', createdAt: now, usedAt: 0, ...more };
}

export function adminKeyContract(opened: StoreUnderTest<Pick<Store, 'adminKeys'>>): void {
  describe('keys of the administration API', () => {
    it('keeps them as they were given, in the order of their names, and replaces those with the same name', async () => {
      const { adminKeys } = opened.store;
      const all = [key('a', { scope: 'admin' }), key('b', { usedAt: now + 5 }), key('ü', { by: '' })];
      await Promise.all([all[2], all[0], all[1]].map((each) => adminKeys.put(each)));
      expect(await adminKeys.list()).toEqual(all);
      const other = key('b', { scope: 'write', hash: 'cd'.repeat(32) });
      await adminKeys.put(other);
      expect(await adminKeys.list()).toEqual([all[0], other, all[2]]);
    });

    it('removes a key once', async () => {
      const { adminKeys } = opened.store;
      await Promise.all([adminKeys.put(key('a')), adminKeys.put(key('b'))]);
      expect(await adminKeys.remove('c')).toBe(false);
      expect(await adminKeys.remove('a')).toBe(true);
      expect(await adminKeys.remove('a')).toBe(false);
      expect(await adminKeys.list()).toEqual([key('b')]);
    });

    it('notes the last use of a key that is there, and forgets it with the key', async () => {
      const { adminKeys } = opened.store;
      await adminKeys.put(key('a'));
      await adminKeys.used('a', now + 1);
      await adminKeys.used('a', now + 60_000);
      await adminKeys.used('gone', now + 60_000);
      expect(await adminKeys.list()).toEqual([key('a', { usedAt: now + 60_000 })]);
      await adminKeys.remove('a');
      await adminKeys.used('a', now + 70_000);
      expect(await adminKeys.list()).toEqual([]);
      await adminKeys.put(key('a'));
      expect(await adminKeys.list()).toEqual([key('a')]);
    });
  });
}
