import type { AppendRequest, DurableFilter, LogLimits, LogPage, LogSizes } from '@dunlin/broker';
import { counter, counterValue, setCounter } from './counters.ts';
import type { Tables } from './environment.ts';
import { behind, digest, key, textKey } from './keys.ts';
import { LOG_HEADER_BYTES, LogEntryReader, REFERENCE_BYTES, writeEntry, writeReference } from './log-entries.ts';
import { RECORD_VERSION, RecordReader, type RecordWriter } from './records.ts';
import { SharedRecords } from './shared-records.ts';

/**
 * State of one log. It outlives its messages and its subscribers, because numbering continues; where many filters have
 * come and gone it is forgotten, and numbering continues behind all that were.
 */
export interface LogHead {
  filter: string;
  /**
   * Number of the log in the keys of its messages. A filter that is dropped and added again gets a new one, and the old
   * messages become garbage.
   */
  logNumber: number;
  /** Number of cursors; 0: the filter is not durable. */
  cursors: number;
  firstSequence: number;
  lastSequence: number;
  /** Bytes of the records from first to last. */
  bytes: number;
}

/**
 * Distance at which a producer number below a new one is finished: each needs a packet identifier, and there are no
 * more.
 */
const PRODUCER_NUMBERS_KEPT = 65_535;
/** Messages removed in one step of trimming: about 10 ms of a transaction. */
export const TRIM_MESSAGES_MAX = 4096;
/** Logs examined in one step of trimming. */
export const TRIM_LOGS_MAX = 1024;
/** Name under which the bytes of all logs stand in `meta`. */
const LOG_BYTES = 'logBytes';
/** Filters that are durable no more and whose last numbers are kept. */
const ENDED_FILTERS_MAX = 1024;
/** Name in `meta` of the highest number in logs of filters that were forgotten. */
const FORGOTTEN_END = 'logEnd';
/** Filters read in one turn when all durable filters are listed: about 3 ms. */
const FILTERS_PER_PAGE = 1000;
/** Least size of a message that several logs share: a smaller one costs less in each of them than apart. */
const SHARED_BYTES_MIN = 1024;

/** Result of one step of trimming, and where to continue; `after` null: all logs were seen. */
export interface TrimStep {
  dropped: number;
  /** Bytes that are left in the logs of this step. */
  bytes: number;
  after: Buffer | null;
}

/** Logs, within a transaction. Heads are read once and written once per transaction. */
export class Logs {
  private readonly tables: Tables;
  private readonly writer: RecordWriter;
  private readonly heads: Map<string, LogHead | null>;
  private readonly changed: Set<LogHead>;
  /** Bytes that this transaction has added to all logs. */
  private addedBytes: number;
  /** Filters that are durable no more, as far as the current walk of trimming has seen. */
  private endedFilters: number;
  private readonly shared: SharedRecords;
  private readonly entryKey: Buffer;
  private entry: Buffer;

  constructor(tables: Tables, writer: RecordWriter) {
    this.tables = tables;
    this.writer = writer;
    this.shared = new SharedRecords(tables, writer);
    this.heads = new Map();
    this.changed = new Set();
    this.addedBytes = 0;
    this.endedFilters = 0;
    this.entryKey = Buffer.allocUnsafeSlow(16);
    this.entry = Buffer.allocUnsafeSlow(64 * 1024);
  }

  /** Drops the cache: another thread may write between transactions. */
  begin(): void {
    this.heads.clear();
    this.changed.clear();
    this.addedBytes = 0;
  }

  /** Bytes of all logs. */
  get bytes(): number {
    return counterValue(this.tables.meta, LOG_BYTES) + this.addedBytes;
  }

  /** Writes the heads that changed, and what they hold together. */
  finish(): void {
    for (const head of this.changed) {
      const record = this.writer
        .begin()
        .f64(head.logNumber)
        .u32(head.cursors)
        .f64(head.firstSequence)
        .f64(head.lastSequence)
        .f64(head.bytes)
        .text(head.filter);
      void this.tables.filter.put(textKey(head.filter), record.finish());
    }
    this.changed.clear();
    if (this.addedBytes !== 0) setCounter(this.tables.meta, LOG_BYTES, this.bytes);
    this.addedBytes = 0;
  }

  head(filter: string): LogHead | null {
    let head = this.heads.get(filter);
    if (head === undefined) {
      const record = this.tables.filter.get(textKey(filter));
      head = record === undefined ? null : readHead(record);
      this.heads.set(filter, head);
    }
    return head;
  }

  /** A page of durable filters from here on, and where the next begins. */
  durableFilters(from: Buffer | undefined): { filters: DurableFilter[]; next: Buffer | null } {
    const filters: DurableFilter[] = [];
    let looked = 0;
    for (const { key: place, value } of this.tables.filter.getRange({ start: from })) {
      if (looked++ === FILTERS_PER_PAGE) return { filters, next: Buffer.from(place as Buffer) };
      const stored = readHead(value);
      const head = this.heads.get(stored.filter) ?? stored;
      if (head.cursors > 0) filters.push({ filter: head.filter, lastSequence: head.lastSequence });
    }
    return { filters, next: null };
  }

  /** Adds the sizes of a page of logs from here on. Returns where the next begins; null: they were the last. */
  addSizes(from: Buffer | undefined, sizes: LogSizes): Buffer | null {
    let looked = 0;
    for (const { key: place, value } of this.tables.filter.getRange({ start: from })) {
      if (looked++ === FILTERS_PER_PAGE) return Buffer.from(place as Buffer);
      sizes.add(readHead(value).bytes);
    }
    return null;
  }

  /**
   * Corrects the bytes of all logs after a walk over them that has found so many: a release that keeps no sum has written
   * to this file. `isWhole`: nothing has changed meanwhile; otherwise what others have written explains a small difference.
   */
  correctBytes(found: number, isWhole: boolean): void {
    const { bytes } = this;
    if (bytes !== found && (isWhole || Math.abs(bytes - found) > Math.max(bytes, found) / 16))
      this.addedBytes += found - bytes;
  }

  /** Adds a cursor of the session at the end of the log, which is created when there is none. */
  addCursor(filter: string, sessionNumber: number): LogHead {
    let head = this.head(filter);
    if (head === null) {
      const end = this.forgottenEnd;
      head = { filter, logNumber: 0, cursors: 0, firstSequence: end + 1, lastSequence: end, bytes: 0 };
      this.heads.set(filter, head);
    }
    if (head.cursors === 0) head.logNumber = counter(this.tables.meta, 'log');
    head.cursors++;
    this.changed.add(head);
    this.putSlowest(head.logNumber, head.lastSequence, sessionNumber);
    return head;
  }

  removeCursor(filter: string, acknowledged: number, sessionNumber: number): void {
    const head = this.head(filter);
    if (head === null) return;
    void this.tables.slowest.remove(key(head.logNumber, acknowledged, sessionNumber));
    head.cursors--;
    this.changed.add(head);
    if (head.cursors > 0) return;
    // Trimming removes the messages: there may be a million.
    if (head.firstSequence <= head.lastSequence)
      void this.tables.garbage.put(key(head.logNumber), Buffer.of(RECORD_VERSION));
    head.firstSequence = head.lastSequence + 1;
    this.addedBytes -= head.bytes;
    head.bytes = 0;
  }

  moveCursor(logNumber: number, from: number, to: number, sessionNumber: number): void {
    if (from === to) return;
    void this.tables.slowest.remove(key(logNumber, from, sessionNumber));
    this.putSlowest(logNumber, to, sessionNumber);
  }

  /** Appends to one log for each filter and returns their numbers, as AppendResult says. */
  append(request: AppendRequest): number[] {
    const { filters, producer } = request;
    const results: number[] = new Array(filters.length);
    const isShared = filters.length > 1 && request.record.length >= SHARED_BYTES_MIN;
    let shared = 0;
    let references = 0;
    const producerKey = producer === null ? null : this.beginProducer(producer.clientId, producer.number);
    for (let index = 0; index < filters.length; index++) {
      const head = this.head(filters[index]);
      if (head === null || head.cursors === 0) {
        results[index] = 0;
        continue;
      }
      if (producerKey !== null) {
        const taken = this.tables.producer.get(key(producerKey, head.logNumber));
        if (taken !== undefined) {
          results[index] = -new RecordReader(taken).f64();
          continue;
        }
      }
      const sequence = ++head.lastSequence;
      head.bytes += request.record.length;
      this.addedBytes += request.record.length;
      this.changed.add(head);
      if (isShared && references++ === 0) shared = this.shared.add(request.record);
      this.putEntry(head.logNumber, sequence, request, shared);
      if (producerKey !== null) {
        void this.tables.producer.put(key(producerKey, head.logNumber), this.writer.begin().f64(sequence).finish());
      }
      results[index] = sequence;
    }
    if (shared > 0) this.shared.setReferences(shared, references);
    return results;
  }

  /** The handshake of this number has ended: it will not be sent again. */
  forgetProducerNumber(clientId: string, number: number): void {
    this.removeProducerNumbers(key(digest(clientId), number), behind(key(digest(clientId), number)));
  }

  /** Deletes up to `limit` records of the producer. Returns how many there were. */
  forgetProducer(clientId: string, limit: number): number {
    return this.removeProducerNumbers(digest(clientId), behind(digest(clientId)), limit);
  }

  readLog(filter: string, from: number, messagesMax: number, bytesMax: number, now: number): LogPage {
    const head = this.head(filter);
    if (head === null) return { entries: [], lastSequence: this.forgottenEnd, firstSequence: this.forgottenEnd + 1 };
    const page: LogPage = { entries: [], lastSequence: head.lastSequence, firstSequence: head.firstSequence };
    const start = Math.max(from, head.firstSequence);
    if (start > head.lastSequence || messagesMax < 1) return page;
    let bytes = 0;
    const range = { start: key(head.logNumber, start), end: key(head.logNumber, Infinity) };
    for (const { key: entryKey, value } of this.tables.log.getRange(range)) {
      const entry = new LogEntryReader(value);
      const { expiresAt, shared } = entry;
      if (expiresAt <= now) continue;
      bytes += entry.recordBytes;
      if (bytes > bytesMax && page.entries.length > 0) break;
      const record = shared > 0 ? this.shared.read(shared) : entry.record;
      page.entries.push({ sequence: (entryKey as Buffer).readDoubleBE(8), record, expiresAt });
      if (page.entries.length >= messagesMax) break;
    }
    return page;
  }

  /**
   * Trims some messages of some logs. The slowest cursor of a log is the first key of its range in `slowest`, so a log
   * of a million cursors costs one seek. Expired messages are dropped from the front; those behind an unexpired one
   * wait for it.
   */
  trimStep(after: Buffer | null, limits: LogLimits, now: number): TrimStep {
    let room = TRIM_MESSAGES_MAX - this.removeGarbage(TRIM_MESSAGES_MAX);
    let dropped = 0;
    let bytes = 0;
    if (room <= 0) return { dropped, bytes, after: after ?? Buffer.of(0) };
    // Logs that began in this transaction are found in the table, too.
    this.finish();
    if (after === null) this.endedFilters = 0;
    const seen: { filterKey: Buffer; filter: string }[] = [];
    const range = { start: after ?? Buffer.of(0), limit: TRIM_LOGS_MAX };
    for (const { key: filterKey, value } of this.tables.filter.getRange(range)) {
      seen.push({ filterKey: filterKey as Buffer, filter: readHead(value).filter });
    }
    for (const { filterKey, filter } of seen) {
      const head = this.head(filter) as LogHead;
      if (head.cursors === 0 && ++this.endedFilters > ENDED_FILTERS_MAX) this.forget(head);
      if (head.firstSequence > head.lastSequence) continue;
      const step = this.trimLog(head, limits, now, room);
      room -= step.removed;
      dropped += step.dropped;
      if (room <= 0) return { dropped, bytes, after: Buffer.from(filterKey) };
      bytes += head.bytes;
    }
    if (seen.length < TRIM_LOGS_MAX) {
      if (after === null) this.correctBytes(bytes, true);
      return { dropped, bytes, after: null };
    }
    return { dropped, bytes, after: Buffer.concat([seen[seen.length - 1].filterKey, Buffer.of(0)]) };
  }

  private get forgottenEnd(): number {
    return counterValue(this.tables.meta, FORGOTTEN_END);
  }

  /** Forgets a log without cursors. If its filter is durable again, numbers go on behind those of all forgotten logs. */
  private forget(head: LogHead): void {
    if (head.lastSequence > this.forgottenEnd) setCounter(this.tables.meta, FORGOTTEN_END, head.lastSequence);
    void this.tables.filter.remove(textKey(head.filter));
    this.heads.set(head.filter, null);
    this.changed.delete(head);
  }

  private trimLog(head: LogHead, limits: LogLimits, now: number, room: number): { removed: number; dropped: number } {
    const passed = this.slowestOf(head);
    const removed: Buffer[] = [];
    const released: number[] = [];
    let dropped = 0;
    const range = { start: key(head.logNumber, head.firstSequence), end: key(head.logNumber, Infinity), limit: room };
    for (const { key: entryKey, value } of this.tables.log.getRange(range)) {
      const over = head.lastSequence - head.firstSequence + 1 > limits.messagesMax || head.bytes > limits.bytesMax;
      const entry = new LogEntryReader(value);
      const expired = entry.expiresAt <= now;
      if (head.firstSequence > passed && !over && !expired) break;
      if (head.firstSequence > passed && !expired) dropped++;
      removed.push(entryKey as Buffer);
      if (entry.shared > 0) released.push(entry.shared);
      head.bytes -= entry.recordBytes;
      this.addedBytes -= entry.recordBytes;
      head.firstSequence++;
    }
    for (const entryKey of removed) void this.tables.log.remove(entryKey);
    for (const shared of released) this.shared.release(shared);
    if (removed.length > 0) this.changed.add(head);
    return { removed: removed.length, dropped };
  }

  private slowestOf(head: LogHead): number {
    const range = { start: key(head.logNumber), end: behind(key(head.logNumber)), limit: 1 };
    for (const slowest of this.tables.slowest.getKeys(range)) return (slowest as Buffer).readDoubleBE(8);
    return head.lastSequence;
  }

  private removeGarbage(room: number): number {
    let removed = 0;
    for (const garbageKey of [...this.tables.garbage.getKeys({ limit: room })]) {
      const range = { start: garbageKey as Buffer, end: behind(garbageKey as Buffer), limit: room - removed };
      const found: { entryKey: Buffer; shared: number }[] = [];
      for (const { key: entryKey, value } of this.tables.log.getRange(range))
        found.push({ entryKey: entryKey as Buffer, shared: new LogEntryReader(value).shared });
      for (const { entryKey, shared } of found) {
        if (shared > 0) this.shared.release(shared);
        void this.tables.log.remove(entryKey);
        removed++;
      }
      if (removed >= room) return removed;
      void this.tables.garbage.remove(garbageKey as Buffer);
    }
    return removed;
  }

  private putSlowest(logNumber: number, acknowledged: number, sessionNumber: number): void {
    void this.tables.slowest.put(key(logNumber, acknowledged, sessionNumber), Buffer.of(RECORD_VERSION));
  }

  /**
   * Hot path: measured at about 1.5 µs in a transaction of 1000. Key and value are written in place; LMDB copies them.
   */
  private putEntry(logNumber: number, sequence: number, request: AppendRequest, shared: number): void {
    const { record, expiresAt } = request;
    const room = shared > 0 ? REFERENCE_BYTES : LOG_HEADER_BYTES + record.length;
    if (room > this.entry.length) this.entry = Buffer.allocUnsafeSlow(room * 2);
    const length =
      shared > 0
        ? writeReference(this.entry, expiresAt, shared, record.length)
        : writeEntry(this.entry, expiresAt, record);
    this.entryKey.writeDoubleBE(logNumber, 0);
    this.entryKey.writeDoubleBE(sequence, 8);
    void this.tables.log.put(this.entryKey, this.entry.subarray(0, length));
  }

  /** Bounds the records of a producer without a stored session, for which no PUBREL is recorded. */
  private beginProducer(clientId: string, number: number): Buffer {
    const producer = digest(clientId);
    const finished = number - PRODUCER_NUMBERS_KEPT;
    if (finished > 0) this.removeProducerNumbers(producer, key(producer, finished));
    return key(producer, number);
  }

  private removeProducerNumbers(start: Buffer, end: Buffer, limit?: number): number {
    const numbers = [...this.tables.producer.getKeys({ start, end, limit })];
    for (const taken of numbers) void this.tables.producer.remove(taken as Buffer);
    return numbers.length;
  }
}

function readHead(record: Uint8Array): LogHead {
  const reader = new RecordReader(record);
  return {
    logNumber: reader.f64(),
    cursors: reader.u32(),
    firstSequence: reader.f64(),
    lastSequence: reader.f64(),
    bytes: reader.f64(),
    filter: reader.text(),
  };
}
