import type { Charge, DelayedMessage } from '@dunlin/broker/ports';
import { counter } from './counters.ts';
import { entryCount, type Tables } from './environment.ts';
import { firstTime, key } from './keys.ts';
import { RecordReader, type RecordWriter } from './records.ts';
import { Usages } from './usages.ts';
import { HANDED_OUT_MILLISECONDS } from './wills.ts';

interface StoredMessage {
  dueKey: number;
  message: Uint8Array;
  user: string;
}

/** Delayed publishes, within a transaction. Their identifiers are numbers in decimal. */
export class Delayed {
  private readonly tables: Tables;
  private readonly writer: RecordWriter;
  private readonly usages: Usages;

  constructor(tables: Tables, writer: RecordWriter) {
    this.tables = tables;
    this.writer = writer;
    this.usages = new Usages('delayed messages', tables.usage, writer);
  }

  /** Throws StoreError `quota-exceeded`. */
  add(record: Uint8Array, dueAt: number, charge?: Charge): void {
    const user = charge?.user ?? '';
    this.usages.replace(undefined, { user, bytes: record.length }, charge);
    this.put(counter(this.tables.meta, 'delayed'), dueAt, record, user);
  }

  nextDue(until: number): number {
    return firstTime(this.tables.delayedDue, until);
  }

  private due(now: number, limit: number): Buffer[] {
    return [...this.tables.delayedDue.getKeys({ end: key(now, Infinity), inclusiveEnd: true, limit })] as Buffer[];
  }

  takeDue(now: number, limit: number): DelayedMessage[] {
    const taken: DelayedMessage[] = [];
    for (const dueKey of this.due(now, limit)) {
      const number = dueKey.readDoubleBE(8);
      const record = this.read(number);
      void this.tables.delayedDue.remove(dueKey);
      if (record === null) continue;
      const { message, user } = record;
      this.put(number, now + HANDED_OUT_MILLISECONDS, message, user);
      taken.push({ id: String(number), record: message, user });
    }
    return taken;
  }

  remove(id: string): void {
    const number = Number(id);
    const record = this.read(number);
    if (record === null) return;
    this.usages.replace({ user: record.user, bytes: record.message.length }, undefined);
    void this.tables.delayedDue.remove(key(record.dueKey, number));
    void this.tables.delayed.remove(key(number));
  }

  /** True: a release that keeps no amounts has written to this file. */
  get isMiscounted(): boolean {
    return this.usages.all.count !== entryCount(this.tables.delayed);
  }

  /** Counts everything again. Within a transaction. */
  recount(): void {
    this.usages.clear();
    for (const { key: found } of this.tables.delayed.getRange({})) {
      const record = this.read((found as Buffer).readDoubleBE(0));
      if (record !== null) this.usages.replace(undefined, { user: record.user, bytes: record.message.length });
    }
  }

  private put(number: number, dueKey: number, message: Uint8Array, user: string): void {
    void this.tables.delayed.put(key(number), this.writer.begin().f64(dueKey).rest(message).finish());
    this.writer.begin();
    if (user !== '') this.writer.text(user);
    void this.tables.delayedDue.put(key(dueKey, number), this.writer.finish());
  }

  private read(number: number): StoredMessage | null {
    const record = this.tables.delayed.get(key(number));
    if (record === undefined) return null;
    const reader = new RecordReader(record);
    const dueKey = reader.f64();
    const due = this.tables.delayedDue.get(key(dueKey, number));
    // Earlier releases name no user.
    const user = due === undefined || due.length === 1 ? '' : new RecordReader(due).text();
    return { dueKey, message: reader.rest(), user };
  }
}
