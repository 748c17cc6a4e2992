import { matchedFilter } from '@dunlin/protocol';
import {
  type DurableGroup,
  type GroupChange,
  type GroupClaim,
  type GroupKey,
  type GroupReservation,
  type StoredGroupCursor,
  StoreError,
} from '../ports/store.ts';
import type { MemoryLogs } from './memory-logs.ts';

interface Group {
  filter: string;
  /** Client identifiers of durable members. */
  members: Set<string>;
  epoch: number;
  cursor: StoredGroupCursor;
  reservations: Map<number, GroupReservation & { epoch: number }>;
}

/** The groups of the memory store. */
export class MemoryGroups {
  private readonly logs: MemoryLogs;
  private readonly groups = new Map<string, Group>();
  private epoch = 0;

  constructor(logs: MemoryLogs) {
    this.logs = logs;
  }

  /** Makes the client a member. Returns the end of the log. */
  join(name: string, clientId: string): number {
    const filter = matchedFilter(name);
    const { lastSequence } = this.logs.addCursor(filter, reader(name));
    const group = this.groups.get(name) ?? {
      filter,
      members: new Set(),
      epoch: ++this.epoch,
      cursor: { acknowledged: lastSequence, above: [], failed: [] },
      reservations: new Map(),
    };
    this.groups.set(name, group);
    group.members.add(clientId);
    return lastSequence;
  }

  leave(name: string, clientId: string): void {
    const group = this.groups.get(name);
    if (group === undefined || !group.members.delete(clientId)) return;
    for (const reservation of group.reservations.values())
      if (reservation.clientId === clientId) reservation.isFinal = true;
    if (group.members.size > 0) return;
    this.groups.delete(name);
    this.logs.removeCursor(group.filter, reader(name));
  }

  list(): DurableGroup[] {
    return Array.from(this.groups, ([group, { cursor }]) => ({ group, acknowledged: cursor.acknowledged }));
  }

  claim(name: string): GroupClaim {
    const group = this.require(name);
    group.epoch = ++this.epoch;
    return { epoch: group.epoch, cursor: structuredClone(group.cursor), reservations: this.reservations(name) };
  }

  update({ group: name, epoch }: GroupKey, { cursor, reservationsDelete = [] }: GroupChange): void {
    const group = this.require(name);
    if (group.epoch !== epoch)
      throw new StoreError('fenced', `epoch ${epoch} is not the group's, which is ${group.epoch}`);
    for (const sequence of reservationsDelete) group.reservations.delete(sequence);
    if (cursor === undefined) return;
    group.cursor = structuredClone(cursor);
    this.logs.moveCursor(group.filter, reader(name), cursor.acknowledged);
  }

  reserve({ group: name, epoch }: GroupKey, reservations: readonly GroupReservation[]): boolean[] {
    const group = this.groups.get(name);
    return reservations.map((reservation) => {
      if (group === undefined) return false;
      const known = group.reservations.get(reservation.sequence);
      if (known === undefined) {
        if (group.epoch !== epoch) return false;
        group.reservations.set(reservation.sequence, { ...reservation, epoch });
        return true;
      }
      if (known.clientId !== reservation.clientId) return false;
      known.isFinal ||= reservation.isFinal;
      return known.epoch === epoch;
    });
  }

  reservations(name: string): GroupReservation[] {
    const reservations = this.groups.get(name)?.reservations.values() ?? [];
    return Array.from(reservations, ({ sequence, clientId, isFinal }) => ({ sequence, clientId, isFinal }));
  }

  private require(name: string): Group {
    const group = this.groups.get(name);
    if (group === undefined) throw new StoreError('unknown-group', 'this group has no durable member');
    return group;
  }
}

/** `$share/{name}/{filter}`: a share name holds no `/` [MQTT-4.8.2-2]. */
/** Reader name of the group in the log: no client identifier holds U+0000. */
function reader(group: string): string {
  return `\u0000${group}`;
}
