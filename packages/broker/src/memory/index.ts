/** The memory store and what other stores take from it: the entry `@dunlin/broker/memory`. */
export { LastBatches } from './last-batches.ts';
export { MemoryStore } from './memory-store.ts';
