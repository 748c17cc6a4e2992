import type { DurableGroup, GroupChange, GroupClaim, GroupKey, GroupReservation, GroupStore } from '@dunlin/broker';
import { matchedFilter } from '@dunlin/protocol';
import type { StoreHandle } from './store-handle.ts';

/** Calls on shared groups in their order: each touches the log of the group's filter. */
export class OrderedGroups implements GroupStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async list(): Promise<DurableGroup[]> {
    const { order, groups } = this.handle.use();
    return order.single(null, () => groups.list());
  }

  async claim(group: string): Promise<GroupClaim> {
    const { order, groups } = this.handle.use();
    return order.single([`l${matchedFilter(group)}`], () => groups.claim(group));
  }

  async update(key: GroupKey, change: GroupChange): Promise<void> {
    const { order, groups } = this.handle.use();
    return order.single([`l${matchedFilter(key.group)}`], () => groups.update(key, change));
  }

  async reserve(key: GroupKey, reservations: GroupReservation[]): Promise<boolean[]> {
    const { order, groups } = this.handle.use();
    return order.single([`l${matchedFilter(key.group)}`], () => groups.reserve(key, reservations));
  }

  async reservations(group: string): Promise<GroupReservation[]> {
    const { order, groups } = this.handle.use();
    return order.single([`l${matchedFilter(group)}`], () => groups.reservations(group));
  }
}
