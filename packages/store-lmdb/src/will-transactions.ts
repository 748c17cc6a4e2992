import type { EndpointId, SessionKey, StoredWill, WillStore, WillToStore } from '@dunlin/broker';
import type { StoreHandle } from './store-handle.ts';

/** Transactions of wills; those of one client are fenced by its claim. */
export class WillTransactions implements WillStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async set(key: SessionKey, owner: EndpointId, will: WillToStore | null): Promise<void> {
    const store = this.handle.use();
    if (will !== null) store.presence?.add(key.clientId);
    return store.write(key.clientId, () => {
      store.fence(key);
      store.wills.set(key, owner, will);
    });
  }

  async schedule(key: SessionKey, dueAt: number): Promise<void> {
    const store = this.handle.use();
    return store.write(key.clientId, () => {
      store.fence(key);
      const will = store.wills.find(key.clientId);
      if (will !== null && will.epoch === key.epoch) store.wills.schedule(will, dueAt);
    });
  }

  async nextDue(until: number): Promise<number> {
    const store = this.handle.use();
    return store.read(() => store.wills.nextDue(until));
  }

  async takeDue(now: number, limit: number): Promise<StoredWill[]> {
    const store = this.handle.use();
    return store.write(null, () => store.wills.takeDue(now, limit));
  }

  async remove(clientId: string, epoch: number): Promise<void> {
    const store = this.handle.use();
    return store.write(clientId, () => {
      const will = store.wills.find(clientId);
      if (will !== null && will.epoch === epoch) store.wills.remove(will);
    });
  }
}
