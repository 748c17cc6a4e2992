// Entry of the store thread: a memory store that several workers share.
import { parentPort, workerData } from 'node:worker_threads';
import { MemoryStore } from '@dunlin/broker/memory';
import { collectWhenIdle } from '../idle-collection.ts';
import { threadMemory } from '../thread-memory.ts';
import { StoreServer } from './store-server.ts';
import type { StoreThreadMessage } from './store-thread.ts';

const tellMilliseconds = 1000;

const store = new MemoryStore();
await store.open();
parentPort?.on('message', (message: StoreThreadMessage) => new StoreServer(store, message.port));

const memory = new Float64Array(workerData as SharedArrayBuffer);
setInterval(() => {
  const { heap, buffers } = threadMemory();
  memory[0] = heap;
  memory[1] = buffers;
}, tellMilliseconds).unref();

collectWhenIdle({ isEmpty: () => false, connectionsEnded: () => 0, collected: () => undefined });
