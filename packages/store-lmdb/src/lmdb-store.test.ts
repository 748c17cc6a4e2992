import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeContract } from '@dunlin/broker/contract';
import { LmdbStore } from './index.ts';

for (const durability of ['fsync', 'memory'] as const) {
  storeContract(`lmdb, ${durability}`, async () => {
    const path = mkdtempSync(join(tmpdir(), 'dunlin-lmdb-'));
    let store = new LmdbStore({ path, durability });
    await store.open();
    return {
      store,
      async reopen() {
        await store.close();
        store = new LmdbStore({ path, durability });
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
