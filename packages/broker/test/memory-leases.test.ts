import { leasesContract } from '../src/contract/leases-contract.ts';
import { MemoryLeases } from '../src/memory/memory-leases.ts';

leasesContract('memory', async () => {
  let now = 1_700_000_000_000;
  const leases = new MemoryLeases({ now: () => now, every: () => () => {}, nextTurn: (callback) => callback() });
  return {
    leases,
    others: leases,
    async tick(milliseconds) {
      now += milliseconds;
    },
    async dispose() {},
  };
});
