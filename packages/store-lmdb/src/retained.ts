import { type Charge, type RetainedPage, retainedPageBytes } from '@dunlin/broker';
import { entryCount, type Tables } from './environment.ts';
import { behind, LEVEL_END, levelsKey, sha256, TOPIC_KEY_BYTES_MAX, topicOfKey } from './keys.ts';
import { RecordReader, type RecordWriter } from './records.ts';
import { type Charged, Usages } from './usages.ts';

/**
 * Keys read for one page: a filter like `+/x` must read every first level, and no client waits longer than about 2 ms
 * for that.
 */
const SEEKS_PER_PAGE_MAX = 256;
/** Messages looked at in one call of `expire`: about 3 ms of a transaction. */
const EXPIRE_MAX = 1000;

/** Two phases of a walk: topics whose encoding fits a key, then the others. `next` begins with the phase. */
const SHORT = 's';
const LONG = 'l';

/** A page that is being filled. */
class Filling implements RetainedPage {
  readonly entries: RetainedPage['entries'] = [];
  next: string | null = null;
  private readonly limit: number;
  private readonly now: number;
  private bytes = 0;

  constructor(limit: number, now: number) {
    this.limit = limit;
    this.now = now;
  }

  get isFull(): boolean {
    return this.entries.length >= this.limit || this.bytes >= retainedPageBytes;
  }

  /** Adds the rest of what is read, unless it has expired. */
  add(topic: string, expiresAt: number, reader: RecordReader): void {
    if (expiresAt <= this.now) return;
    const record = reader.rest();
    this.entries.push({ topic, record, expiresAt });
    this.bytes += record.length;
  }

  get page(): RetainedPage {
    return { entries: this.entries, next: this.next };
  }
}

/** Retained messages, level by level. */
export class Retained {
  private readonly tables: Tables;
  private readonly writer: RecordWriter;
  private readonly usages: Usages;
  /** Place where `expire` goes on, in the table of long topics or in the other. */
  private expireFrom: Buffer;
  private isExpiringLong: boolean;

  constructor(tables: Tables, writer: RecordWriter) {
    this.tables = tables;
    this.writer = writer;
    this.usages = new Usages('retained messages', tables.usage, writer);
    this.expireFrom = LOWEST;
    this.isExpiringLong = false;
  }

  /** Throws StoreError `quota-exceeded`. */
  set(topic: string, record: Uint8Array | null, expiresAt: number, charge?: Charge): void {
    const levels = levelsKey(topic.split('/'));
    const long = levels.length > TOPIC_KEY_BYTES_MAX;
    const table = long ? this.tables.retainedLong : this.tables.retained;
    const topicKey = long ? longKey(levels, topic) : levels;
    const before = this.chargedOf(topicKey, long);
    if (record === null) {
      if (before === undefined) return;
      this.usages.replace(before, undefined);
      void table.remove(topicKey);
      if (before.user !== '') void this.tables.retainedUser.remove(topicKey);
      return;
    }
    const user = charge?.user ?? '';
    this.usages.replace(before, { user, bytes: record.length }, charge);
    if (user !== (before?.user ?? '')) this.putUser(topicKey, user);
    const value = this.writer.begin().f64(expiresAt);
    if (long) value.text(topic);
    void table.put(topicKey, value.rest(record).finish());
  }

  /** Removes what has expired among the next messages. Returns how many there were. */
  expire(now: number): number {
    const isLong = this.isExpiringLong;
    const table = isLong ? this.tables.retainedLong : this.tables.retained;
    const expired: Buffer[] = [];
    let looked = 0;
    let last: Buffer = LOWEST;
    for (const { key, value } of table.getRange({ start: this.expireFrom, limit: EXPIRE_MAX })) {
      looked++;
      last = key as Buffer;
      if (new RecordReader(value).f64() <= now) expired.push(last);
    }
    for (const topicKey of expired) {
      this.usages.replace(this.chargedOf(topicKey, isLong), undefined);
      void table.remove(topicKey);
      this.putUser(topicKey, '');
    }
    const isOver = looked < EXPIRE_MAX;
    this.expireFrom = isOver ? LOWEST : Buffer.concat([last, LOWEST]);
    if (isOver) this.isExpiringLong = !isLong;
    return expired.length;
  }

  private putUser(topicKey: Buffer, user: string): void {
    if (user === '') void this.tables.retainedUser.remove(topicKey);
    else void this.tables.retainedUser.put(topicKey, this.writer.begin().text(user).finish());
  }

  /** The message with this key; undefined: there is none. */
  private chargedOf(topicKey: Buffer, isLong: boolean): Charged | undefined {
    const value = (isLong ? this.tables.retainedLong : this.tables.retained).get(topicKey);
    return value === undefined ? undefined : { user: this.userOf(topicKey), bytes: messageBytes(value, isLong) };
  }

  private userOf(topicKey: Buffer): string {
    const record = this.tables.retainedUser.get(topicKey);
    return record === undefined ? '' : new RecordReader(record).text();
  }

  /** True: a release that keeps no amounts has written to this file. */
  get isMiscounted(): boolean {
    return this.usages.all.count !== this.count();
  }

  /** Counts everything again. Within a transaction. */
  recount(): void {
    this.usages.clear();
    for (const isLong of [false, true]) {
      const table = isLong ? this.tables.retainedLong : this.tables.retained;
      for (const { key, value } of table.getRange({})) {
        const topicKey = key as Buffer;
        this.usages.replace(undefined, { user: this.userOf(topicKey), bytes: messageBytes(value, isLong) });
      }
    }
  }

  count(): number {
    return entryCount(this.tables.retained) + entryCount(this.tables.retainedLong);
  }

  /** Pages may hold fewer than `limit` entries, and even none, although more follow. */
  read(filter: string, after: string | null, limit: number, now: number): RetainedPage {
    const page = new Filling(limit, now);
    const levels = filter.split('/');
    if (!levels.includes('+') && levels[levels.length - 1] !== '#') {
      this.readOne(filter, levels, page);
      return page.page;
    }
    const long = after?.startsWith(LONG) ?? false;
    const resume = after === null ? null : Buffer.from(after.slice(1), 'base64');
    let left = SEEKS_PER_PAGE_MAX;
    if (!long) {
      left = this.walkShort(new LevelFilter(levels), resume, left, page);
      if (page.next !== null) return page.page;
    }
    this.walkLong(levels, long ? resume : null, left, page);
    return page.page;
  }

  /** Reads the one topic of a filter without wildcards: one get. */
  private readOne(topic: string, levels: string[], page: Filling): void {
    const topicKey = levelsKey(levels);
    const long = topicKey.length > TOPIC_KEY_BYTES_MAX;
    const value = long ? this.tables.retainedLong.get(longKey(topicKey, topic)) : this.tables.retained.get(topicKey);
    if (value === undefined) return;
    const reader = new RecordReader(value);
    const expiresAt = reader.f64();
    if (long) reader.text();
    page.add(topic, expiresAt, reader);
  }

  /** Walks the matching keys, skipping those that cannot match. Returns how many seeks are left for this page. */
  private walkShort(filter: LevelFilter, resume: Buffer | null, seeks: number, page: Filling): number {
    let position: Buffer | null = resume ?? filter.first();
    while (position !== null) {
      if (page.isFull || seeks-- <= 0) {
        page.next = SHORT + position.toString('base64');
        return 0;
      }
      const start: Buffer = position;
      position = null;
      // The cursor moves from key to key as long as nothing is to be skipped.
      for (const { key, value } of this.tables.retained.getRange({ start: seekable(start) })) {
        const next = filter.next(key as Buffer);
        if (filter.matched) addTo(page, topicOfKey(key as Buffer), new RecordReader(value));
        if (next !== FOLLOWING) {
          position = next;
          break;
        }
        if (page.isFull || seeks-- <= 0) {
          position = Buffer.concat([key as Buffer, LOWEST]);
          break;
        }
      }
    }
    return Math.max(seeks, 0);
  }

  /** Topics too long for a key are found by the literal levels that the filter begins with. */
  private walkLong(levels: string[], resume: Buffer | null, seeks: number, page: Filling): void {
    const wildcard = levels.findIndex((level) => level === '+' || level === '#');
    const literal = levelsKey(wildcard === -1 ? levels : levels.slice(0, wildcard));
    const prefix = literal.subarray(0, Math.min(literal.length, TOPIC_KEY_BYTES_MAX));
    // `a/#` matches `a` too, but `a` is long only if its own encoding is.
    for (const { key, value } of this.tables.retainedLong.getRange({
      start: resume ?? Buffer.concat([prefix, LOWEST]),
      end: behind(prefix),
    })) {
      if (page.isFull || seeks-- <= 0) {
        page.next = LONG + (key as Buffer).toString('base64');
        return;
      }
      const reader = new RecordReader(value);
      const expiresAt = reader.f64();
      const topic = reader.text();
      if (matchesLevels(levels, topic.split('/'))) page.add(topic, expiresAt, reader);
    }
  }
}

function messageBytes(value: Uint8Array, isLong: boolean): number {
  const reader = new RecordReader(value);
  reader.f64();
  if (isLong) reader.text();
  return reader.rest().length;
}

const LOWEST = Buffer.of(0);
/** Result of `next` for "simply the key after this one". */
const FOLLOWING = Buffer.alloc(0);

/**
 * Key of a position: no stored key is longer than the bound, so a longer position stands right behind its first bytes.
 */
function seekable(position: Buffer): Buffer {
  if (position.length <= TOPIC_KEY_BYTES_MAX) return position;
  return Buffer.concat([position.subarray(0, TOPIC_KEY_BYTES_MAX), LOWEST]);
}

function addTo(page: Filling, topic: string, reader: RecordReader): void {
  page.add(topic, reader.f64(), reader);
}

/** The start of the encoding and the digest of the whole; 0xff keeps it apart from every level byte. */
function longKey(levels: Buffer, topic: string): Buffer {
  return Buffer.concat([levels.subarray(0, TOPIC_KEY_BYTES_MAX), Buffer.of(0xff), sha256(topic)]);
}

/** [MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.2-1] */
export function matchesLevels(filter: readonly string[], topic: readonly string[]): boolean {
  if (topic[0].startsWith('$') && (filter[0] === '+' || filter[0] === '#')) return false;
  for (let index = 0; index < filter.length; index++) {
    if (filter[index] === '#') return true;
    if (index >= topic.length) return false;
    if (filter[index] !== '+' && filter[index] !== topic[index]) return false;
  }
  return topic.length === filter.length;
}

const DOLLAR = 0x24;

/**
 * A filter over sorted level keys: for the key at hand it says whether it matches and which key to look at next.
 *
 *     filter  a/+/x       keys  a  a/b  a/b/w  a/b/x  a/b/y  a/c/x  b
 *             seek a/ ──────────►  too short: first child
 *                                  a/b   too short: to a/b/x
 *                                              a/b/x  match: past a/b
 *                                                            a/c too short …
 *                                                                   b  past the literal a: done
 */
class LevelFilter {
  matched: boolean;
  private readonly levels: readonly string[];
  private readonly encoded: Buffer[];

  constructor(levels: readonly string[]) {
    this.matched = false;
    this.levels = levels;
    this.encoded = levels.map((level) => levelsKey([level]));
  }

  /** First key of the walk: the literal levels before the first wildcard. */
  first(): Buffer {
    const literal: Buffer[] = [];
    for (let index = 0; index < this.levels.length && !this.isWildcard(index); index++)
      literal.push(this.encoded[index]);
    const start = Buffer.concat(literal);
    return start.length === 0 ? Buffer.of(0) : start;
  }

  /** Null: nothing behind this key matches. */
  next(key: Buffer): Buffer | null {
    this.matched = false;
    let start = 0;
    for (let index = 0; index < this.levels.length; index++) {
      const level = this.levels[index];
      const hidden = index === 0 && key[0] === DOLLAR && this.isWildcard(0);
      // [MQTT-4.7.2-1] All `$` topics stand together.
      if (hidden) return Buffer.of(DOLLAR + 1);
      if (level === '#') {
        this.matched = true;
        return FOLLOWING;
      }
      if (start >= key.length) return this.child(key, index);
      const end = key.indexOf(LEVEL_END, start) + 1;
      if (level !== '+') {
        const order = key.compare(this.encoded[index], 0, this.encoded[index].length, start, end);
        if (order < 0) return Buffer.concat([key.subarray(0, start), this.encoded[index]]);
        if (order > 0) return this.sibling(key, index - 1);
      }
      start = end;
    }
    this.matched = start === key.length;
    // Everything below this topic has more levels than the filter.
    return this.sibling(key, this.levels.length - 1);
  }

  /** The key is an ancestor of keys that may match. */
  private child(key: Buffer, index: number): Buffer {
    return this.levels[index] === '+' ? FOLLOWING : Buffer.concat([key, this.encoded[index]]);
  }

  /** Skips this level and all below it, to where the nearest `+` at or above allows another value. */
  private sibling(key: Buffer, index: number): Buffer | null {
    let plus = index;
    while (plus >= 0 && this.levels[plus] !== '+') plus--;
    if (plus < 0) return null;
    let end = 0;
    for (let level = 0; level <= plus; level++) end = key.indexOf(LEVEL_END, end) + 1;
    const past = Buffer.from(key.subarray(0, end));
    past[end - 1] = LEVEL_END + 1;
    return past;
  }

  private isWildcard(index: number): boolean {
    return this.levels[index] === '+' || this.levels[index] === '#';
  }
}
