export type { Durability } from './environment.ts';
export { LmdbStore, type LmdbStoreOptions } from './lmdb-store.ts';
