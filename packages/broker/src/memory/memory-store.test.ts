import { storeContract } from '../contract/store-contract.ts';
import { MemoryStore } from './memory-store.ts';

storeContract('memory', async () => {
  const store = new MemoryStore();
  await store.open();
  return { store, dispose: () => store.close() };
});
