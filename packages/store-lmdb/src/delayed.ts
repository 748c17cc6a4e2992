import { counter } from './counters.ts';
import type { Tables } from './environment.ts';
import { firstTime, key } from './keys.ts';
import { RECORD_VERSION, RecordReader, type RecordWriter } from './records.ts';
import { HANDED_OUT_MILLISECONDS } from './wills.ts';

/** Delayed publishes, within a transaction. Their identifiers are numbers in decimal. */
export class Delayed {
  private readonly tables: Tables;
  private readonly writer: RecordWriter;

  constructor(tables: Tables, writer: RecordWriter) {
    this.tables = tables;
    this.writer = writer;
  }

  add(record: Uint8Array, dueAt: number): void {
    this.put(counter(this.tables.meta, 'delayed'), dueAt, record);
  }

  nextDue(until: number): number {
    return firstTime(this.tables.delayedDue, until);
  }

  private due(now: number, limit: number): Buffer[] {
    return [...this.tables.delayedDue.getKeys({ end: key(now, Infinity), inclusiveEnd: true, limit })] as Buffer[];
  }

  takeDue(now: number, limit: number): { id: string; record: Uint8Array }[] {
    const taken: { id: string; record: Uint8Array }[] = [];
    for (const dueKey of this.due(now, limit)) {
      const number = dueKey.readDoubleBE(8);
      const record = this.read(number);
      void this.tables.delayedDue.remove(dueKey);
      if (record === null) continue;
      this.put(number, now + HANDED_OUT_MILLISECONDS, record.message);
      taken.push({ id: String(number), record: record.message });
    }
    return taken;
  }

  remove(id: string): void {
    const number = Number(id);
    const record = this.read(number);
    if (record === null) return;
    void this.tables.delayedDue.remove(key(record.dueKey, number));
    void this.tables.delayed.remove(key(number));
  }

  private put(number: number, dueKey: number, message: Uint8Array): void {
    void this.tables.delayed.put(key(number), this.writer.begin().f64(dueKey).rest(message).finish());
    void this.tables.delayedDue.put(key(dueKey, number), Buffer.of(RECORD_VERSION));
  }

  private read(number: number): { dueKey: number; message: Uint8Array } | null {
    const record = this.tables.delayed.get(key(number));
    if (record === undefined) return null;
    const reader = new RecordReader(record);
    return { dueKey: reader.f64(), message: reader.rest() };
  }
}
