import type { Charge, DelayedMessage, DelayedStore } from '@dunlin/broker';
import type { StoreHandle } from './store-handle.ts';

/** Transactions of delayed publishes. */
export class DelayedTransactions implements DelayedStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async add(record: Uint8Array, dueAt: number, charge?: Charge): Promise<void> {
    const store = this.handle.use();
    return store.write(null, () => store.delayed.add(record, dueAt, charge), true);
  }

  async nextDue(until: number): Promise<number> {
    const store = this.handle.use();
    return store.read(() => store.delayed.nextDue(until));
  }

  async takeDue(now: number, limit: number): Promise<DelayedMessage[]> {
    const store = this.handle.use();
    return store.write(null, () => store.delayed.takeDue(now, limit));
  }

  async remove(id: string): Promise<void> {
    const store = this.handle.use();
    return store.write(null, () => store.delayed.remove(id));
  }
}
