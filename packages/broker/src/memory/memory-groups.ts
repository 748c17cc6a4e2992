import { matchedFilter } from '@dunlin/protocol/topic';
import type {
  DurableGroup,
  GroupChange,
  GroupClaim,
  GroupKey,
  GroupReservation,
  GroupStore,
  StoredGroupCursor,
} from '../ports/group-store.ts';
import { StoreError } from '../ports/store-error.ts';
import type { MemoryClaims } from './memory-claims.ts';
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
export class MemoryGroups implements GroupStore {
  private readonly claims: MemoryClaims;
  private readonly logs: MemoryLogs;
  private readonly groups = new Map<string, Group>();
  private epoch = 0;

  constructor(claims: MemoryClaims, logs: MemoryLogs) {
    this.claims = claims;
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

  async list(): Promise<DurableGroup[]> {
    this.claims.check();
    return Array.from(this.groups, ([group, { cursor }]) => ({ group, acknowledged: cursor.acknowledged }));
  }

  async claim(name: string): Promise<GroupClaim> {
    const group = this.require(name);
    group.epoch = ++this.epoch;
    return { epoch: group.epoch, cursor: structuredClone(group.cursor), reservations: reservationsOf(group) };
  }

  async update({ group: name, epoch }: GroupKey, { cursor, reservationsDelete = [] }: GroupChange): Promise<void> {
    const group = this.require(name);
    if (group.epoch !== epoch)
      throw new StoreError('fenced', `epoch ${epoch} is not the group's, which is ${group.epoch}`);
    for (const sequence of reservationsDelete) group.reservations.delete(sequence);
    if (cursor === undefined) return;
    group.cursor = structuredClone(cursor);
    this.logs.moveCursor(group.filter, reader(name), cursor.acknowledged);
  }

  async reserve({ group: name, epoch }: GroupKey, reservations: readonly GroupReservation[]): Promise<boolean[]> {
    this.claims.check();
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

  async reservations(name: string): Promise<GroupReservation[]> {
    this.claims.check();
    const group = this.groups.get(name);
    return group === undefined ? [] : reservationsOf(group);
  }

  private require(name: string): Group {
    this.claims.check();
    const group = this.groups.get(name);
    if (group === undefined) throw new StoreError('unknown-group', 'this group has no durable member');
    return group;
  }
}

function reservationsOf({ reservations }: Group): GroupReservation[] {
  return Array.from(reservations.values(), ({ sequence, clientId, isFinal }) => ({ sequence, clientId, isFinal }));
}

/** Reader name of the group in the log: no client identifier holds U+0000. */
function reader(group: string): string {
  return `\u0000${group}`;
}
