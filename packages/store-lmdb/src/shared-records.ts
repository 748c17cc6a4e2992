import { counter } from './counters.ts';
import type { Tables } from './environment.ts';
import { key } from './keys.ts';
import { RecordReader, type RecordWriter } from './records.ts';

const messagePart = Buffer.from('m');
const countPart = Buffer.from('n');

/** Messages that stand in several logs: stored once, with the count of logs that refer to them. Within a transaction. */
export class SharedRecords {
  private readonly tables: Tables;
  private readonly writer: RecordWriter;

  constructor(tables: Tables, writer: RecordWriter) {
    this.tables = tables;
    this.writer = writer;
  }

  /** Stores the message and returns its number; `setReferences` is owed. */
  add(record: Uint8Array): number {
    const number = counter(this.tables.meta, 'shared');
    void this.tables.shared.put(key(number, messagePart), this.writer.begin().rest(record).finish());
    return number;
  }

  read(number: number): Uint8Array {
    const record = this.tables.shared.get(key(number, messagePart));
    return record === undefined ? new Uint8Array() : new RecordReader(record).rest();
  }

  setReferences(number: number, count: number): void {
    void this.tables.shared.put(key(number, countPart), this.writer.begin().u32(count).finish());
  }

  /** One log less refers to it; it goes with the last one. */
  release(number: number): void {
    const record = this.tables.shared.get(key(number, countPart));
    const count = record === undefined ? 0 : new RecordReader(record).u32() - 1;
    if (count > 0) {
      this.setReferences(number, count);
      return;
    }
    void this.tables.shared.remove(key(number, messagePart));
    void this.tables.shared.remove(key(number, countPart));
  }
}
