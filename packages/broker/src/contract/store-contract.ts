/** Contract of every Store: the sentences of ports/store.ts as tests. Each implementation runs this suite. */
import { describe } from 'vitest';
import type { Store } from '../ports/store.ts';
import { groupContract } from './store-contract-groups.ts';
import { type StoreOpener, storeUnderTest } from './store-contract-kit.ts';
import { largeSessionContract } from './store-contract-large-sessions.ts';
import { logEndsContract } from './store-contract-log-ends.ts';
import { logContract } from './store-contract-logs.ts';
import { modelContract } from './store-contract-model.ts';
import { owedContract } from './store-contract-owed.ts';
import { repeatedAppendContract } from './store-contract-repeated-appends.ts';
import { retainedContract } from './store-contract-retained.ts';
import { sessionContract } from './store-contract-sessions.ts';
import { survivalContract } from './store-contract-survival.ts';
import { willContract } from './store-contract-wills.ts';

/**
 * Registers the suite. `open` gives a fresh, empty, open store; `reopen` closes it and opens its data again, and is
 * absent for a store without any; `dispose` closes and removes everything.
 */
export function storeContract(
  name: string,
  open: () => Promise<{ store: Store; reopen?: () => Promise<Store>; dispose(): Promise<void> }>,
): void {
  const opener: StoreOpener = open;
  describe(`store contract: ${name}`, () => {
    const opened = storeUnderTest(opener);
    sessionContract(opened);
    owedContract(opened);
    largeSessionContract(opened);
    logContract(opened);
    repeatedAppendContract(opened);
    logEndsContract(opened);
    groupContract(opened);
    retainedContract(opened);
    willContract(opened);
    survivalContract(opened);
    modelContract(opener);
  });
}
