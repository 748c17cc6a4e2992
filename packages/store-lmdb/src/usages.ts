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
    const isSameUser = before !== undefined && after !== undefined && before.user === after.user;
    if (charge !== undefined) this.check(before, after, charge);
    const addToAll = difference(before, after);
    if (after !== undefined) this.add(this.keyOf(after.user), isSameUser ? addToAll : difference(undefined, after));
    if (before !== undefined && !isSameUser) this.add(this.keyOf(before.user), difference(before, undefined));
    this.add(this.allKey, addToAll);
  }

  /** Throws StoreError `quota-exceeded` where `replace` would. */
  check(before: Charged | undefined, after: Charged | undefined, charge: Charge): void {
    if (after === undefined) return;
    const addToAll = difference(before, after);
    const addToUser = before?.user === after.user ? addToAll : difference(undefined, after);
    const limit = exceededLimit(charge.quota, this.all, addToAll, this.read(this.keyOf(after.user)), addToUser);
    if (limit !== null) throw quotaError(this.kind, charge, limit);
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

  private add(usageKey: Buffer, more: Usage): void {
    if (more.count === 0 && more.bytes === 0) return;
    const usage = this.read(usageKey);
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

function difference(before: Charged | undefined, after: Charged | undefined): Usage {
  const count = (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
  return { count, bytes: (after?.bytes ?? 0) - (before?.bytes ?? 0) };
}
