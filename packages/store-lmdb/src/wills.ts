import type { EndpointId, SessionKey, StoredWill } from '@dunlin/broker';
import type { Tables } from './environment.ts';
import { behind, digest, firstTime, key, kind, textKey } from './keys.ts';
import { RecordReader, type RecordWriter } from './records.ts';

/** A will or delayed message that was handed out comes again after this, unless it was removed (the port's contract). */
export const HANDED_OUT_MILLISECONDS = 30_000;

interface WillRecord extends StoredWill {
  /** Key in `willDue`; Infinity: none. */
  dueKey: number;
}

/** Wills, within a transaction. */
export class Wills {
  private readonly tables: Tables;
  private readonly writer: RecordWriter;

  constructor(tables: Tables, writer: RecordWriter) {
    this.tables = tables;
    this.writer = writer;
  }

  find(clientId: string): WillRecord | null {
    const record = this.tables.will.get(textKey(clientId));
    return record === undefined ? null : readWill(record);
  }

  set(sessionKey: SessionKey, owner: EndpointId, will: { record: Uint8Array; delaySeconds: number } | null): void {
    const found = this.find(sessionKey.clientId);
    if (found !== null) this.remove(found);
    if (will === null) return;
    const { clientId, epoch } = sessionKey;
    this.put({ clientId, owner, epoch, ...will, dueAt: Infinity, dueKey: Infinity });
    const record = this.writer.begin().text(owner).text(clientId).finish();
    void this.tables.owner.put(key(digest(owner), kind.will, digest(clientId)), record);
  }

  /** Schedules a will: from now on no owner holds it, and the store may hand it out. */
  schedule(will: WillRecord, dueAt: number): void {
    this.removeOwner(will);
    this.move(will, dueAt, dueAt);
  }

  nextDue(until: number): number {
    return firstTime(this.tables.willDue, until);
  }

  /** Client identifiers. */
  private due(now: number, limit: number): string[] {
    const range = this.tables.willDue.getRange({ end: behind(key(now)), limit });
    return Array.from(range, ({ value }) => new RecordReader(value).text());
  }

  takeDue(now: number, limit: number): StoredWill[] {
    const taken: StoredWill[] = [];
    for (const clientId of this.due(now, limit)) {
      const will = this.find(clientId);
      if (will === null) continue;
      this.move(will, will.dueAt, now + HANDED_OUT_MILLISECONDS);
      taken.push(storedWill(will));
    }
    return taken;
  }

  remove(will: WillRecord): void {
    this.removeOwner(will);
    this.removeDue(will);
    void this.tables.will.remove(textKey(will.clientId));
  }

  private move(will: WillRecord, dueAt: number, dueKey: number): void {
    this.removeDue(will);
    will.dueAt = dueAt;
    will.dueKey = dueKey;
    this.put(will);
    if (dueKey === Infinity) return;
    void this.tables.willDue.put(key(dueKey, digest(will.clientId)), this.writer.begin().text(will.clientId).finish());
  }

  private put(will: WillRecord): void {
    const record = this.writer
      .begin()
      .f64(will.epoch)
      .u32(will.delaySeconds)
      .f64(will.dueAt)
      .f64(will.dueKey)
      .text(will.owner)
      .text(will.clientId)
      .rest(will.record);
    void this.tables.will.put(textKey(will.clientId), record.finish());
  }

  private removeOwner(will: WillRecord): void {
    void this.tables.owner.remove(key(digest(will.owner), kind.will, digest(will.clientId)));
  }

  private removeDue(will: WillRecord): void {
    if (will.dueKey !== Infinity) void this.tables.willDue.remove(key(will.dueKey, digest(will.clientId)));
  }
}

export function storedWill({ clientId, owner, epoch, record, delaySeconds, dueAt }: WillRecord): StoredWill {
  return { clientId, owner, epoch, record, delaySeconds, dueAt };
}

function readWill(record: Uint8Array): WillRecord {
  const reader = new RecordReader(record);
  return {
    epoch: reader.f64(),
    delaySeconds: reader.u32(),
    dueAt: reader.f64(),
    dueKey: reader.f64(),
    owner: reader.text(),
    clientId: reader.text(),
    record: reader.rest(),
  };
}
