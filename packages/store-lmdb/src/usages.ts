import { type Charge, exceededLimit, type QuotaKind, quotaError, type Usage } from '@dunlin/broker/ports';
import type { Table } from './environment.ts';
import { textKey } from './keys.ts';
import { RecordReader, type RecordWriter } from './records.ts';

/** First byte of a kind's keys. */
const kindBytes: Record<QuotaKind, string> = { 'retained messages': 'r', 'delayed messages': 'd', sessions: 's' };

/** A stored item: who pays for it, and its size. */
export interface Charged {
  user: string;
  bytes: number;
}

/**
 * Amounts of one kind that are stored, in all and by user: kept in the transaction that changes them, since all workers
 * and later processes count on.
 */
export class Usages {
  private readonly kind: QuotaKind;
  private readonly table: Table;
  private readonly writer: RecordWriter;
  private readonly allKey: Buffer;
  private readonly userPrefix: Buffer;

  constructor(kind: QuotaKind, table: Table, writer: RecordWriter) {
    this.kind = kind;
    this.table = table;
    this.writer = writer;
    this.allKey = Buffer.from(`${kindBytes[kind]}a`);
    this.userPrefix = Buffer.from(`${kindBytes[kind]}u`);
  }

  get all(): Usage {
    return this.read(this.allKey);
  }

  /**
   * Puts `after` in the place of `before`; undefined: there is none. Without a charge nothing is refused.
   * @throws StoreError `quota-exceeded`, before anything is written
   */
  replace(before: Charged | undefined, after: Charged | undefined, charge?: Charge): void {
    const bytes = (after?.bytes ?? 0) - (before?.bytes ?? 0);
    const isSameUser = before !== undefined && after !== undefined && before.user === after.user;
    const all = this.all;
    const addToAll = { count: (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1), bytes };
    if (after !== undefined) {
      const userKey = this.keyOf(after.user);
      const ofUser = this.read(userKey);
      const addToUser = isSameUser ? addToAll : { count: 1, bytes: after.bytes };
      const limit = charge && exceededLimit(charge.quota, all, addToAll, ofUser, addToUser);
      if (charge !== undefined && limit) throw quotaError(this.kind, charge, limit);
      this.add(userKey, ofUser, addToUser);
    }
    if (before !== undefined && !isSameUser) {
      const userKey = this.keyOf(before.user);
      this.add(userKey, this.read(userKey), { count: -1, bytes: -before.bytes });
    }
    this.add(this.allKey, all, addToAll);
  }

  /** Forgets all amounts: everything is counted again. */
  clear(): void {
    const end = Buffer.from(this.userPrefix);
    end[1]++;
    for (const found of this.table.getKeys({ start: this.allKey, end })) void this.table.remove(found as Buffer);
  }

  private keyOf(user: string): Buffer {
    return Buffer.concat([this.userPrefix, textKey(user)]);
  }

  private read(usageKey: Buffer): Usage {
    const record = this.table.get(usageKey);
    if (record === undefined) return { count: 0, bytes: 0 };
    const reader = new RecordReader(record);
    return { count: reader.f64(), bytes: reader.f64() };
  }

  private add(usageKey: Buffer, usage: Usage, more: Usage): void {
    if (more.count === 0 && more.bytes === 0) return;
    const count = usage.count + more.count;
    if (count <= 0) void this.table.remove(usageKey);
    else
      void this.table.put(
        usageKey,
        this.writer
          .begin()
          .f64(count)
          .f64(usage.bytes + more.bytes)
          .finish(),
      );
  }
}
