import type { DurableGroup, GroupChange, GroupClaim, GroupKey, GroupReservation, GroupStore } from '@dunlin/broker';
import type { StoreHandle } from './store-handle.ts';

/** Transactions of shared groups. */
export class GroupTransactions implements GroupStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async list(): Promise<DurableGroup[]> {
    const store = this.handle.use();
    return store.read(() => store.groups.list());
  }

  async claim(group: string): Promise<GroupClaim> {
    const store = this.handle.use();
    return store.write(null, () => store.groups.claim(group));
  }

  async update(key: GroupKey, change: GroupChange): Promise<void> {
    const store = this.handle.use();
    return store.write(null, () => store.groups.update(key, change));
  }

  async reserve(key: GroupKey, reservations: GroupReservation[]): Promise<boolean[]> {
    const store = this.handle.use();
    return store.write(null, () => store.groups.reserve(key, reservations));
  }

  async reservations(group: string): Promise<GroupReservation[]> {
    const store = this.handle.use();
    return store.read(() => store.groups.reservations(group));
  }
}
