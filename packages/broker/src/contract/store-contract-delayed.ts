import { describe, expect, it } from 'vitest';
import type { Store } from '../ports/store.ts';
import { bytes, now, type StoreUnderTest, text } from './store-contract-kit.ts';

export function delayedContract(opened: StoreUnderTest<Pick<Store, 'delayed'>>): void {
  describe('delayed publishes', () => {
    it('hands them out when due, earliest first, and again unless removed', async () => {
      const { store } = opened;
      await Promise.all([
        store.delayed.add(bytes('late'), now + 10),
        store.delayed.add(bytes('soon'), now + 5),
        store.delayed.add(bytes('never'), now + 1e9),
      ]);
      expect(await store.delayed.takeDue(now + 4, 10)).toEqual([]);
      const [soon] = await store.delayed.takeDue(now + 10, 1);
      expect(text(soon.record)).toBe('soon');
      const [late] = await store.delayed.takeDue(now + 10, 10);
      expect(text(late.record)).toBe('late');
      await store.delayed.remove(soon.id);
      await store.delayed.remove(soon.id);
      expect(await store.delayed.takeDue(now + 30_009, 10)).toEqual([]);
      expect((await store.delayed.takeDue(now + 30_010, 10)).map(({ id }) => id)).toEqual([late.id]);
    });
  });
}
