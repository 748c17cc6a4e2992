import type { Charge, RetainedPage, RetainedStore } from '@dunlin/broker';
import type { StoreHandle } from './store-handle.ts';

/** Transactions of retained messages. */
export class RetainedTransactions implements RetainedStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async expire(now: number): Promise<number> {
    const store = this.handle.use();
    return store.write(null, () => store.retained.expire(now));
  }

  async set(topic: string, record: Uint8Array | null, expiresAt: number, charge?: Charge): Promise<void> {
    const store = this.handle.use();
    return store.write(null, () => store.retained.set(topic, record, expiresAt, charge), record !== null);
  }

  async read(filter: string, after: string | null, limit: number, now: number): Promise<RetainedPage> {
    const store = this.handle.use();
    return store.read(() => store.retained.read(filter, after, limit, now));
  }

  async count(): Promise<number> {
    const store = this.handle.use();
    return store.read(() => store.retained.count());
  }
}
