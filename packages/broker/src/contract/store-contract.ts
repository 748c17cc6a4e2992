/**
 * Suite of a whole store: those of its parts, and what ports/store.ts says of all of them. Each implementation runs it.
 */
import { describe } from 'vitest';
import { dueContract } from './store-contract-due.ts';
import { type StoreOpener, storeUnderTest } from './store-contract-kit.ts';
import { modelContract } from './store-contract-model.ts';
import { survivalContract } from './store-contract-survival.ts';
import {
  adminKeyStoreContract,
  banStoreContract,
  delayedStoreContract,
  groupStoreContract,
  logStoreContract,
  retainedStoreContract,
  sessionStoreContract,
  willStoreContract,
} from './store-part-contracts.ts';

export function storeContract(name: string, open: StoreOpener): void {
  sessionStoreContract(name, open);
  logStoreContract(name, open);
  groupStoreContract(name, open);
  retainedStoreContract(name, open);
  willStoreContract(name, open);
  delayedStoreContract(name, open);
  banStoreContract(name, open);
  adminKeyStoreContract(name, open);
  describe(`store contract: ${name}`, () => {
    const opened = storeUnderTest(open);
    dueContract(opened);
    survivalContract(opened);
    modelContract(open);
  });
}
