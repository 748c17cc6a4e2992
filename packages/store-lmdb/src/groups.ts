import {
  type DurableGroup,
  type GroupChange,
  type GroupClaim,
  type GroupKey,
  type GroupTake,
  type StoredGroupCursor,
  StoreError,
} from '@dunlin/broker';
import { matchedFilter } from '@dunlin/protocol';
import { counter } from './counters.ts';
import type { Tables } from './environment.ts';
import { behind, key, textKey } from './keys.ts';
import type { Logs } from './logs.ts';
import { RecordReader, type RecordWriter } from './records.ts';

interface GroupRecord {
  /** `$share/{name}/{filter}`. */
  name: string;
  /** Names the group in the keys of its takes, and its cursor among those of sessions. */
  number: number;
  epoch: number;
  /** Durable members. */
  members: number;
  logNumber: number;
  cursor: StoredGroupCursor;
}

/** A take, and the leader by whose word it was made. */
interface TakeRecord {
  take: GroupTake;
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

  /** One more member: the caller knows that it was none. Returns the end of the log. */
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

  /** One member less: the caller knows that it was one. */
  leave(name: string, clientId: string): void {
    const group = this.find(name);
    if (group === null) return;
    const takes = this.takesOf(group);
    if (group.members > 1) {
      for (const { take, epoch } of takes)
        if (take.clientId === clientId) this.putTake(group, { ...take, isFinal: true }, epoch);
      this.put({ ...group, members: group.members - 1 });
      return;
    }
    for (const { take } of takes) void this.tables.groupTake.remove(key(group.number, take.sequence));
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
    return { epoch, cursor: group.cursor, takes: this.takesOf(group).map(({ take }) => take) };
  }

  update({ group: name, epoch }: GroupKey, { cursor, takesDelete = [] }: GroupChange): void {
    const group = this.require(name);
    if (group.epoch !== epoch)
      throw new StoreError('fenced', `epoch ${epoch} is not the group's, which is ${group.epoch}`);
    for (const sequence of takesDelete) void this.tables.groupTake.remove(key(group.number, sequence));
    if (cursor === undefined) return;
    this.logs.moveCursor(group.logNumber, group.cursor.acknowledged, cursor.acknowledged, group.number);
    this.put({ ...group, cursor });
  }

  take({ group: name, epoch }: GroupKey, takes: readonly GroupTake[]): boolean[] {
    const group = this.find(name);
    return takes.map((take) => {
      if (group === null) return false;
      const record = this.tables.groupTake.get(key(group.number, take.sequence));
      if (record === undefined) {
        if (group.epoch !== epoch) return false;
        this.putTake(group, take, epoch);
        return true;
      }
      const known = readTake(take.sequence, record);
      if (known.take.clientId !== take.clientId) return false;
      if (take.isFinal && !known.take.isFinal) this.putTake(group, take, known.epoch);
      return known.epoch === epoch;
    });
  }

  takes(name: string): GroupTake[] {
    const group = this.find(name);
    return group === null ? [] : this.takesOf(group).map(({ take }) => take);
  }

  private takesOf({ number }: GroupRecord): TakeRecord[] {
    const start = key(number);
    const takes: TakeRecord[] = [];
    for (const { key: takeKey, value } of this.tables.groupTake.getRange({ start, end: behind(start) }))
      takes.push(readTake((takeKey as Buffer).readDoubleBE(8), value));
    return takes;
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

  private putTake({ number }: GroupRecord, { sequence, clientId, isFinal }: GroupTake, epoch: number): void {
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

function readTake(sequence: number, record: Uint8Array): TakeRecord {
  const reader = new RecordReader(record);
  const isFinal = reader.u8() === 1;
  const epoch = reader.f64();
  return { take: { sequence, clientId: reader.text(), isFinal }, epoch };
}
