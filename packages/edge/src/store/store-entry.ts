// Entry of the store thread: a memory store that several workers share.
import { parentPort } from 'node:worker_threads';
import { MemoryStore } from '@dunlin/broker';
import { StoreServer } from './store-server.ts';
import type { StoreThreadMessage } from './store-thread.ts';

const store = new MemoryStore();
await store.open();
parentPort?.on('message', (message: StoreThreadMessage) => new StoreServer(store, message.port));
