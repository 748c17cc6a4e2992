import { MessageChannel } from 'node:worker_threads';
import { MemoryStore } from '@dunlin/broker';
import { storeContract } from '@dunlin/broker/contract';
import { RemoteStore } from '../src/store/remote-store.ts';
import { StoreServer } from '../src/store/store-server.ts';

storeContract('memory, through a message port', async () => {
  const memory = new MemoryStore();
  await memory.open();
  const { port1, port2 } = new MessageChannel();
  new StoreServer(memory, port2);
  const store = new RemoteStore('memory', port1);
  await store.open();
  return {
    store,
    async dispose() {
      await store.close();
      await memory.close();
    },
  };
});
