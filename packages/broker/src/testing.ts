/** Parts for tests and benchmarks of other packages; production takes what index.ts has. */
export { MemoryBackplane, MemoryBackplaneHub } from './memory/memory-backplane.ts';
export { MemoryLeases } from './memory/memory-leases.ts';
export { Subscription } from './session/subscription.ts';
export { SubscriptionTree } from './subscriptions/subscription-tree.ts';
