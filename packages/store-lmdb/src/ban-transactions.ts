import type { Ban, BanChanges, BanPlace, BanStore, BanTarget } from '@dunlin/broker';
import type { StoreHandle } from './store-handle.ts';

/** Transactions of bans. */
export class BanTransactions implements BanStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async put(ban: Ban): Promise<void> {
    const store = this.handle.use();
    return store.write(null, () => store.bans.put(ban), true);
  }

  async remove(target: BanTarget): Promise<boolean> {
    const store = this.handle.use();
    return store.write(null, () => store.bans.remove(target));
  }

  async changes(after: BanPlace | null, limit: number): Promise<BanChanges> {
    const store = this.handle.use();
    return store.read(() => store.bans.changes(after, limit));
  }

  async expire(now: number, limit: number): Promise<number> {
    const store = this.handle.use();
    return store.write(null, () => store.bans.expire(now, limit));
  }
}
