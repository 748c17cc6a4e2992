/** Bans, and counts and allowances that the workers of a node share, for who makes their memory: the entry `@dunlin/broker/guards`. */
export { canonicalRange } from './address-range.ts';
export { describeBan } from './ban-list.ts';
export { FairQueue, type Standing, type Waiter } from './fair-queue.ts';
export { MemoryLevel, type MemoryLevelNumber, memoryLevels, newMemoryLevel } from './memory-level.ts';
export { networkOf } from './network-of.ts';
export { NewcomerTurns, newcomerCosts, type WaitingNewcomer } from './newcomer-turns.ts';
export { RefusalAllowance, refusalMemoryBytes } from './refusal-allowance.ts';
export { newSharedCounts, newSubscriptionCounts, SharedCounts } from './shared-counts.ts';
export { newSharedMarks, SharedMarks } from './shared-marks.ts';
export { newSharedRates, SharedRates } from './shared-rates.ts';
export { newSignInMemory, type SignInMemory } from './sign-in-guard.ts';
