import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeContract } from '@dunlin/broker/contract';
import { LmdbStore } from '../src/index.ts';

const kinds = [
  { durability: 'fsync', exclusive: false },
  { durability: 'memory', exclusive: false },
  { durability: 'fsync', exclusive: true },
] as const;

for (const { durability, exclusive } of kinds) {
  storeContract(`lmdb, ${durability}${exclusive ? ', exclusive' : ''}`, async () => {
    const path = mkdtempSync(join(tmpdir(), 'dunlin-lmdb-'));
    let store = new LmdbStore({ path, durability, exclusive });
    await store.open();
    return {
      store,
      async reopen() {
        await store.close();
        store = new LmdbStore({ path, durability, exclusive });
        await store.open();
        return store;
      },
      async dispose() {
        await store.close();
        rmSync(path, { recursive: true });
      },
    };
  });
}
