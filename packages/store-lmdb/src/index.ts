export { LmdbStore, type LmdbStoreOptions } from './lmdb-store.ts';
export type { Durability } from './environment.ts';
