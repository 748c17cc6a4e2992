import type { Table } from './environment.ts';
import { RecordReader, RecordWriter } from './records.ts';

const writer = new RecordWriter();

/** The next number of this name, from 1, within a transaction. Numbers are never given twice. */
export function counter(
  meta: Table,
  name: 'session' | 'log' | 'group' | 'delayed' | 'shared' | 'ban' | 'banRemoval',
): number {
  const next = counterValue(meta, name) + 1;
  setCounter(meta, name, next);
  return next;
}

export function counterValue(meta: Table, name: string): number {
  const record = meta.get(Buffer.from(name));
  return record === undefined ? 0 : new RecordReader(record).f64();
}

export function setCounter(meta: Table, name: string, value: number): void {
  void meta.put(Buffer.from(name), writer.begin().f64(value).finish());
}
