import { storeContract } from '../src/contract/store-contract.ts';
import { MemoryStore } from '../src/memory/memory-store.ts';

storeContract('memory', async () => {
  const store = new MemoryStore();
  await store.open();
  return { store, dispose: () => store.close() };
});
