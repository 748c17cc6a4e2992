import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Leases } from '../ports/leases.ts';

export interface LeasesUnderTest {
  /** Two views of the same leases, as two nodes would have them. */
  leases: Leases;
  others: Leases;
  /** Lets time pass until the store is asked again, if its clock has to be moved. */
  tick(milliseconds: number): Promise<void>;
  dispose(): Promise<void>;
}

/** Long enough to outlast a test, and short enough to run out in one. */
const longMilliseconds = 60_000;
const shortMilliseconds = 60;
const pollMilliseconds = 10;

/** The sentences of ports/leases.ts as tests. Each implementation runs this suite. */
export function leasesContract(name: string, open: () => Promise<LeasesUnderTest>): void {
  describe(`leases contract: ${name}`, () => {
    let opened: LeasesUnderTest;
    let count = 0;
    let owner: string;
    beforeEach(async () => {
      opened = await open();
      owner = `node/${++count}#1`;
    });
    afterEach(() => opened.dispose());

    /** Asks until the endpoint is evicted, because its lease has run out. */
    async function evicted(who: string): Promise<void> {
      while (!(await opened.others.evict(who, false))) await opened.tick(pollMilliseconds);
    }

    it('a valid lease protects its endpoint', async () => {
      const { leases, others } = opened;
      expect(await leases.renew(owner, longMilliseconds)).toBe(true);
      expect(await others.evict(owner, false)).toBe(false);
      expect(await leases.renew(owner, longMilliseconds)).toBe(true);
    });

    it('one that ran out does not, and eviction is final', async () => {
      const { leases, others } = opened;
      expect(await leases.renew(owner, shortMilliseconds)).toBe(true);
      await evicted(owner);
      expect(await leases.renew(owner, longMilliseconds)).toBe(false);
      expect(await others.renew(owner, longMilliseconds)).toBe(false);
      expect(await others.evict(owner, false)).toBe(true);
      expect(await leases.renew(owner, longMilliseconds)).toBe(false);
    });

    it('a lease that ran out is renewed unless its endpoint was evicted', async () => {
      const { leases, others } = opened;
      const other = `${owner}0`;
      expect(await leases.renew(owner, shortMilliseconds)).toBe(true);
      expect(await leases.renew(other, shortMilliseconds)).toBe(true);
      await evicted(other); // The first lease ran out before.
      expect(await leases.renew(owner, longMilliseconds)).toBe(true);
      expect(await others.evict(owner, false)).toBe(false);
    });

    it('renewing prolongs', async () => {
      const { leases, others } = opened;
      const other = `${owner}0`;
      expect(await leases.renew(owner, shortMilliseconds)).toBe(true);
      expect(await leases.renew(owner, longMilliseconds)).toBe(true);
      expect(await leases.renew(other, shortMilliseconds * 2)).toBe(true);
      await evicted(other);
      expect(await others.evict(owner, false)).toBe(false);
    });

    it('an endpoint that never had a lease may be evicted', async () => {
      expect(await opened.others.evict(owner, false)).toBe(true);
      expect(await opened.leases.renew(owner, longMilliseconds)).toBe(false);
    });

    it('a living endpoint is evicted when that is asked for', async () => {
      const { leases, others } = opened;
      expect(await leases.renew(owner, longMilliseconds)).toBe(true);
      expect(await others.evict(owner, true)).toBe(true);
      expect(await leases.renew(owner, longMilliseconds)).toBe(false);
    });

    it('a lease that was given up protects no longer, and can be renewed unless its endpoint is evicted', async () => {
      const { leases, others } = opened;
      await leases.renew(owner, longMilliseconds);
      await leases.end(owner);
      expect(await leases.renew(owner, longMilliseconds)).toBe(true);
      await leases.end(owner);
      await leases.end(owner);
      expect(await others.evict(owner, false)).toBe(true);
      await leases.end(owner);
      expect(await leases.renew(owner, longMilliseconds)).toBe(false);
    });

    it('endpoints are apart', async () => {
      const { leases, others } = opened;
      const other = `${owner}0`;
      await leases.renew(owner, longMilliseconds);
      await leases.renew(other, longMilliseconds);
      expect(await others.evict(owner, true)).toBe(true);
      expect(await leases.renew(other, longMilliseconds)).toBe(true);
      expect(await others.evict(other, false)).toBe(false);
    });

    it('of renewals and an eviction at the same time, one is first for everybody', async () => {
      const { leases, others } = opened;
      for (let round = 0; round < 20; round++) {
        const name = `${owner}-${round}`;
        const [first, wasEvicted, second] = await Promise.all([
          leases.renew(name, longMilliseconds),
          others.evict(name, false),
          leases.renew(name, longMilliseconds),
        ]);
        expect(await leases.renew(name, longMilliseconds)).toBe(!wasEvicted);
        if (wasEvicted) expect(second && !first).toBe(false);
        else expect([first, second]).toContain(true);
      }
    });
  });
}
