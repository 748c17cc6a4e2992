import { type Ban, type BanChanges, type BanPlace, type BanTarget, banKey } from '@dunlin/broker/ports';
import { counter, counterValue } from './counters.ts';
import type { Tables } from './environment.ts';
import { key, textKey } from './keys.ts';
import { RECORD_VERSION, RecordReader, type RecordWriter } from './records.ts';

/** Bans, within a transaction. Each is stored under the number of its last change. */
export class Bans {
  private readonly tables: Tables;
  private readonly writer: RecordWriter;

  constructor(tables: Tables, writer: RecordWriter) {
    this.tables = tables;
    this.writer = writer;
  }

  put(ban: Ban): void {
    const { tables, writer } = this;
    this.drop(ban);
    const number = counter(tables.meta, 'ban');
    const { reason, by, createdAt, endsAt } = ban;
    void tables.ban.put(
      key(number),
      writer.begin().f64(createdAt).f64(endsAt).text(banKey(ban)).text(reason).text(by).finish(),
    );
    void tables.banName.put(textKey(banKey(ban)), writer.begin().f64(number).finish());
    if (endsAt !== Infinity) void tables.banEnd.put(key(endsAt, number), Buffer.of(RECORD_VERSION));
  }

  remove(target: BanTarget): boolean {
    const existed = this.drop(target);
    if (existed) counter(this.tables.meta, 'banRemoval');
    return existed;
  }

  changes(after: BanPlace | null, limit: number): BanChanges {
    const { tables } = this;
    const removals = counterValue(tables.meta, 'banRemoval');
    const lastChange = counterValue(tables.meta, 'ban');
    const isWhole = after === null || after.removals !== removals || after.changes > lastChange;
    const from = isWhole ? 0 : after.changes;
    const place = { removals, changes: lastChange };
    if (from === lastChange) return { bans: [], isWhole, place, hasMore: false };
    const bans: Ban[] = [];
    for (const { key: found, value } of tables.ban.getRange({ start: key(from + 1), limit: limit + 1 })) {
      if (bans.length === limit) return { bans, isWhole, place, hasMore: true };
      bans.push(readBan(value));
      place.changes = (found as Buffer).readDoubleBE(0);
    }
    return { bans, isWhole, place: { removals, changes: lastChange }, hasMore: false };
  }

  expire(now: number, limit: number): number {
    const { tables } = this;
    const ended = [...tables.banEnd.getKeys({ end: key(now, Infinity), inclusiveEnd: true, limit })] as Buffer[];
    for (const end of ended) {
      const record = tables.ban.get(key(end.readDoubleBE(8)));
      if (record !== undefined) this.drop(readBan(record));
    }
    return ended.length;
  }

  private drop(target: BanTarget): boolean {
    const { tables } = this;
    const name = textKey(banKey(target));
    const record = tables.banName.get(name);
    if (record === undefined) return false;
    const number = new RecordReader(record).f64();
    const ban = tables.ban.get(key(number));
    if (ban !== undefined) void tables.banEnd.remove(key(readBan(ban).endsAt, number));
    void tables.ban.remove(key(number));
    void tables.banName.remove(name);
    return true;
  }
}

function readBan(record: Uint8Array): Ban {
  const reader = new RecordReader(record);
  const [createdAt, endsAt] = [reader.f64(), reader.f64()];
  const [clientId, userName, address] = JSON.parse(reader.text()) as (string | null)[];
  return { clientId, userName, address, reason: reader.text(), by: reader.text(), createdAt, endsAt };
}
