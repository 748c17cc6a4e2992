/** A suite for each port that has more than one implementation: its doc comment as tests. For test code. */
export { type BackplaneMesh, backplaneContract } from './backplane-contract.ts';
export { type LeasesUnderTest, leasesContract } from './leases-contract.ts';
export { storeContract } from './store-contract.ts';
export type { GroupsUnderTest, LogsUnderTest, StoreOpener, WillsUnderTest } from './store-contract-kit.ts';
export {
  adminKeyStoreContract,
  banStoreContract,
  delayedStoreContract,
  groupStoreContract,
  logStoreContract,
  retainedStoreContract,
  sessionStoreContract,
  willStoreContract,
} from './store-part-contracts.ts';
