import {
  type DurableGroup,
  type GroupChange,
  type GroupClaim,
  type GroupKey,
  type GroupReservation,
  type StoredGroupCursor,
  StoreError,
} from '@dunlin/broker/ports';
import { matchedFilter } from '@dunlin/protocol';
import { counter } from './counters.ts';
import type { Tables } from './environment.ts';
import { behind, key, textKey } from './keys.ts';
import type { Logs } from './logs.ts';
import { RecordReader, type RecordWriter } from './records.ts';

interface GroupRecord {
  /** `$share/{name}/{filter}`. */
  name: string;
  /** Number of the group in the keys of its reservations, and of its cursor among those of sessions. */
  number: number;
  epoch: number;
  /** Durable members. */
  members: number;
  logNumber: number;
  cursor: StoredGroupCursor;
}

/** A reservation, and the epoch of the leader that made it. */
interface ReservationRecord {
  reservation: GroupReservation;
  epoch: number;
}

/** Shared groups with durable members, within a transaction. */
export class Groups {
  private readonly tables: Tables;
  private readonly writer: RecordWriter;
  private readonly logs: Logs;

  constructor(tables: Tables, writer: RecordWriter, logs: Logs) {
    this.tables = tables;
    this.writer = writer;
    this.logs = logs;
  }

  /** Adds a member; the caller knows that it was none. Returns the end of the log. */
  join(name: string): number {
    const group = this.find(name);
    if (group !== null) {
      this.put({ ...group, members: group.members + 1 });
      return this.end(name);
    }
    const number = counter(this.tables.meta, 'session');
    const { logNumber, lastSequence } = this.logs.addCursor(matchedFilter(name), number);
    const epoch = counter(this.tables.meta, 'group');
    const cursor = { acknowledged: lastSequence, above: [], failed: [] };
    this.put({ name, number, epoch, members: 1, logNumber, cursor });
    return lastSequence;
  }

  exists(name: string): boolean {
    return this.tables.group.doesExist(textKey(name));
  }

  end(name: string): number {
    return this.logs.head(matchedFilter(name))?.lastSequence ?? 0;
  }

  /** Removes a member; the caller knows that it was one. */
  leave(name: string, clientId: string): void {
    const group = this.find(name);
    if (group === null) return;
    const reservations = this.reservationsOf(group);
    if (group.members > 1) {
      for (const { reservation, epoch } of reservations)
        if (reservation.clientId === clientId) this.putReservation(group, { ...reservation, isFinal: true }, epoch);
      this.put({ ...group, members: group.members - 1 });
      return;
    }
    for (const { reservation } of reservations)
      void this.tables.groupTake.remove(key(group.number, reservation.sequence));
    void this.tables.group.remove(textKey(name));
    this.logs.removeCursor(matchedFilter(name), group.cursor.acknowledged, group.number);
  }

  list(): DurableGroup[] {
    const groups: DurableGroup[] = [];
    for (const { value } of this.tables.group.getRange()) {
      const { name, cursor } = readGroup(value);
      groups.push({ group: name, acknowledged: cursor.acknowledged });
    }
    return groups;
  }

  claim(name: string): GroupClaim {
    const group = this.require(name);
    const epoch = counter(this.tables.meta, 'group');
    this.put({ ...group, epoch });
    return {
      epoch,
      cursor: group.cursor,
      reservations: this.reservationsOf(group).map(({ reservation }) => reservation),
    };
  }

  update({ group: name, epoch }: GroupKey, { cursor, reservationsDelete = [] }: GroupChange): void {
    const group = this.require(name);
    if (group.epoch !== epoch)
      throw new StoreError('fenced', `epoch ${epoch} is not the group's, which is ${group.epoch}`);
    for (const sequence of reservationsDelete) void this.tables.groupTake.remove(key(group.number, sequence));
    if (cursor === undefined) return;
    this.logs.moveCursor(group.logNumber, group.cursor.acknowledged, cursor.acknowledged, group.number);
    this.put({ ...group, cursor });
  }

  reserve({ group: name, epoch }: GroupKey, reservations: readonly GroupReservation[]): boolean[] {
    const group = this.find(name);
    return reservations.map((reservation) => {
      if (group === null) return false;
      const record = this.tables.groupTake.get(key(group.number, reservation.sequence));
      if (record === undefined) {
        if (group.epoch !== epoch) return false;
        this.putReservation(group, reservation, epoch);
        return true;
      }
      const known = readReservation(reservation.sequence, record);
      if (known.reservation.clientId !== reservation.clientId) return false;
      if (reservation.isFinal && !known.reservation.isFinal) this.putReservation(group, reservation, known.epoch);
      return known.epoch === epoch;
    });
  }

  reservations(name: string): GroupReservation[] {
    const group = this.find(name);
    return group === null ? [] : this.reservationsOf(group).map(({ reservation }) => reservation);
  }

  private reservationsOf({ number }: GroupRecord): ReservationRecord[] {
    const start = key(number);
    const reservations: ReservationRecord[] = [];
    for (const { key: reservationKey, value } of this.tables.groupTake.getRange({ start, end: behind(start) }))
      reservations.push(readReservation((reservationKey as Buffer).readDoubleBE(8), value));
    return reservations;
  }

  private find(name: string): GroupRecord | null {
    const record = this.tables.group.get(textKey(name));
    return record === undefined ? null : readGroup(record);
  }

  private require(name: string): GroupRecord {
    const group = this.find(name);
    if (group === null) throw new StoreError('unknown-group', 'this group has no durable member');
    return group;
  }

  private put({ name, number, epoch, members, logNumber, cursor }: GroupRecord): void {
    const record = this.writer.begin().f64(number).f64(epoch).u32(members).f64(logNumber).f64(cursor.acknowledged);
    record.text(name);
    for (const list of [cursor.above, cursor.failed]) {
      record.u32(list.length);
      for (const sequence of list) record.f64(sequence);
    }
    void this.tables.group.put(textKey(name), record.finish());
  }

  private putReservation(
    { number }: GroupRecord,
    { sequence, clientId, isFinal }: GroupReservation,
    epoch: number,
  ): void {
    const record = this.writer
      .begin()
      .u8(isFinal ? 1 : 0)
      .f64(epoch)
      .text(clientId);
    void this.tables.groupTake.put(key(number, sequence), record.finish());
  }
}

/** `$share/{name}/{filter}`: a share name holds no `/` [MQTT-4.8.2-2]. */
function readGroup(record: Uint8Array): GroupRecord {
  const reader = new RecordReader(record);
  const [number, epoch, members, logNumber] = [reader.f64(), reader.f64(), reader.u32(), reader.f64()];
  const acknowledged = reader.f64();
  const name = reader.text();
  const [above, failed] = [readNumbers(reader), readNumbers(reader)];
  return { name, number, epoch, members, logNumber, cursor: { acknowledged, above, failed } };
}

function readNumbers(reader: RecordReader): number[] {
  const numbers: number[] = [];
  for (let left = reader.u32(); left > 0; left--) numbers.push(reader.f64());
  return numbers;
}

function readReservation(sequence: number, record: Uint8Array): ReservationRecord {
  const reader = new RecordReader(record);
  const isFinal = reader.u8() === 1;
  const epoch = reader.f64();
  return { reservation: { sequence, clientId: reader.text(), isFinal }, epoch };
}
