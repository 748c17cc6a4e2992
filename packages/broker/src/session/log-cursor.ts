/**
 * Cursor of one durable session in one log (ARCHITECTURE.md, section 6).
 *
 * ```
 *   log      1  2  3  4  5  6  7  8  9 …
 *   acknowledged = 3 ┘     │     │  └ next = 8: the first not sent yet
 *              above = {5} ┘     └ 4, 6, 7 are in flight
 * ```
 *
 * Live: everything up to the log's end was sent, and messages are sent as they are appended. When the window is full,
 * or a number is missing, the cursor falls behind: it then reads the log a page at a time as room comes, until it has
 * reached the end.
 */

import { RecordError, readRecord } from '../message/message-record.ts';
import type { Publication } from '../message/publication.ts';
import { messagesBetween } from '../ports/log-numbers.ts';
import type { LogEntry } from '../ports/log-store.ts';
import type { Cursor, StoredOutbound } from '../ports/session-store.ts';
import type { DurableLog, LogReader } from './durable-log.ts';
import type { InflightSource } from './inflight.ts';
import type { Session } from './session.ts';
import type { Subscription } from './subscription.ts';

const noEntries: LogEntry[] = [];
/** Longest gap of dropped numbers that is noted one by one; a longer one moves the cursor in one step. */
const gapNotedMax = 10_000;
const endUnknown = Number.MAX_SAFE_INTEGER;

/** Calls of a cursor to delivery (delivery/session-delivery.ts). */
export interface CursorDelivery {
  readonly logPages: { read(cursor: LogCursor): void };
  readonly upcalls: { storeWentBack(log: DurableLog, end: number, unharmed: LogCursor | null): void };
  sendLogged(cursor: LogCursor, sequence: number, publication: Publication): void;
  unreadable(cursor: LogCursor, sequence: number, error: Error): void;
  markDirty(cursor: LogCursor): void;
  countGap(): void;
  countExpired(count: number): void;
}

export interface LogCursorParts {
  delivery: CursorDelivery;
  session: Session;
  log: DurableLog;
  subscription: Subscription;
  stored: Cursor;
  /** Made by SUBSCRIBE: the end of the log is known. */
  isNew: boolean;
}

export class LogCursor implements InflightSource, LogReader {
  readonly session: Session;
  readonly log: DurableLog;
  readonly subscription: Subscription;
  readonly isKept = true;
  private readonly delivery: CursorDelivery;
  acknowledged: number;
  readonly above: Set<number>;
  next: number;
  isLive = false;
  /** Position among its session's cursors. */
  place = 0;
  readerAt = -1;
  /** The subscription has ended: later acknowledgements are no progress of this log any more. */
  isDetached = false;
  /** The rules do not allow its subscription now: nothing is sent, acknowledgements count. */
  isSuspended = false;
  private isReading = false;
  /**
   * The subscription was replaced by one of QoS 0: up to this number the client is owed queued messages, at the QoS
   * that was granted then [MQTT-3.8.4-4]. Later messages come through the log as well, at QoS 0, for as long as the
   * connection lasts: so nothing is lost between the log and the live way.
   */
  owed: Cursor['owed'];
  /** End of the log as known when the page in progress was requested. */
  private readEnd = 0;
  /** The end of the log was read since the cursor was made: `log.lastSequence` is no older than the cursor. */
  private isChecked: boolean;
  /**
   * Numbers above `acknowledged` in flight since before the reconnect: sent again by packet identifier, not from here.
   */
  private readonly resent = new Set<number>();
  /** Stretches above `acknowledged` of numbers that will not be sent, ascending: too long to be noted one by one. */
  private readonly skipped: { first: number; last: number }[] = [];
  /** The lowest number in the log when the page was read. */
  private readFirst = 0;
  private page = noEntries;
  private pageAt = 0;

  constructor({ delivery, session, log, subscription, stored, isNew }: LogCursorParts) {
    const { acknowledged, above, owed } = stored;
    this.delivery = delivery;
    this.session = session;
    this.log = log;
    this.subscription = subscription;
    this.acknowledged = acknowledged;
    this.above = new Set(above);
    this.next = acknowledged + 1;
    // Not recorded, since its worker died before: everything up to its end, at QoS 1.
    if (subscription.qos === 0) this.owed = owed ?? { sequence: endUnknown, qos: 1 };
    this.isChecked = isNew;
  }

  get filter(): string {
    return this.log.filter;
  }

  /** The subscription is replaced by one of this QoS; the log ends here. */
  replace(qos: 0 | 1 | 2, logEnd: number): void {
    const before = this.subscription.qos;
    if (qos > 0) this.owed = undefined;
    else if (before > 0) this.owed = { sequence: logEnd, qos: before === 2 ? 2 : 1 };
    this.delivery.markDirty(this);
  }

  /** The QoS granted for the message with this number. */
  grantedFor(sequence: number): 0 | 1 | 2 {
    return this.owed !== undefined && sequence <= this.owed.sequence ? this.owed.qos : this.subscription.qos;
  }

  /** The number belongs to a message that the reconnect resends. */
  markResent(inflight: StoredOutbound): void {
    this.resent.add(inflight.sequence);
  }

  wasResent(sequence: number): boolean {
    return this.resent.size > 0 && this.resent.has(sequence);
  }

  /** True if only the end of the log is missing: a page would be empty. */
  get mayBeAtEnd(): boolean {
    return !this.isChecked && this.next === this.acknowledged + 1 && this.next > this.log.lastSequence;
  }

  /** The log's end must be read from the store before the cursor is live. */
  checkEnd(): void {
    this.isChecked = false;
    this.isLive = false;
  }

  /** The log goes on behind the last number sent, and no frame has brought it. */
  endMoved(sequence: number): void {
    if (!this.isLive || this.next > sequence) return;
    this.isLive = false;
    this.pump();
  }

  /** A message was appended while connected; called in the order of the numbers unless frames overtook each other. */
  arrived(sequence: number, publication: Publication): void {
    if (!this.isLive || sequence < this.next || this.session.hasEnded) return;
    if (sequence > this.next) {
      this.delivery.countGap();
      this.isLive = false;
      this.pump();
    } else if (this.session.hasRoom && this.session.isCompared) {
      this.next = sequence + 1;
      this.delivery.sendLogged(this, sequence, publication);
    } else {
      this.isLive = false;
      this.session.addBehind(this);
    }
  }

  /** Sends as much as the window has room for. Called when room came, at the start, and when numbers were missed. */
  pump(): void {
    if (this.isLive || this.isReading || this.isDetached || this.isSuspended || this.session.hasEnded) return;
    if (!this.session.isCompared) {
      this.session.addBehind(this);
      return;
    }
    while (this.pageAt < this.page.length && this.session.hasRoom) this.sendEntry(this.page[this.pageAt++]);
    if (this.pageAt < this.page.length || !this.session.hasRoom) {
      this.session.addBehind(this);
      return;
    }
    this.page = noEntries;
    this.pageAt = 0;
    if (this.isChecked && this.next > this.log.lastSequence) {
      this.isLive = true;
      return;
    }
    this.isReading = true;
    this.readEnd = this.log.lastSequence;
    this.delivery.logPages.read(this);
  }

  /** Processes the page that was requested. */
  pageRead(entries: LogEntry[], firstSequence: number, lastSequence: number): void {
    this.isReading = false;
    this.isChecked = true;
    if (this.acknowledged > lastSequence) {
      // An empty page: it was requested from behind the end.
      this.setBack(lastSequence);
      this.pump();
      return;
    }
    if (this.owed !== undefined && this.owed.sequence > lastSequence)
      this.owed = { ...this.owed, sequence: lastSequence };
    if (lastSequence > this.log.lastSequence) this.log.lastSequence = lastSequence;
    this.page = entries;
    this.pageAt = 0;
    this.readFirst = firstSequence;
    if (entries.length === 0) {
      this.countExpired(lastSequence + 1);
      this.skipTo(Math.max(lastSequence + 1, firstSequence));
      // The store has less than was announced before: it has lost writes. Readers of the old log cannot go on; this
      // session can, if it received none of the lost messages.
      if (lastSequence < this.readEnd) {
        this.delivery.upcalls.storeWentBack(this.log, lastSequence, this.acknowledged <= lastSequence ? this : null);
        if (this.session.hasEnded) return;
      }
    }
    this.pump();
  }

  /** The log has lost writes since the cursor was written: messages with numbers behind its end are new. */
  private setBack(lastSequence: number): void {
    const { setBackTo } = this.log;
    this.acknowledged = setBackTo < 0 ? lastSequence : Math.min(setBackTo, lastSequence);
    this.above.clear();
    if (this.owed !== undefined) this.owed = { ...this.owed, sequence: this.acknowledged };
    this.skipped.length = 0;
    this.next = this.acknowledged + 1;
    this.delivery.markDirty(this);
  }

  /** The page could not be read; delivery calls `pump` again later. */
  pageFailed(): void {
    this.isReading = false;
  }

  private sendEntry(entry: LogEntry): void {
    if (entry.sequence < this.next) return;
    this.countExpired(entry.sequence);
    this.skipTo(entry.sequence);
    this.next = entry.sequence + 1;
    // Resent messages may have been acknowledged before the page arrived that holds them.
    if (entry.sequence <= this.acknowledged || this.above.has(entry.sequence) || this.resent.has(entry.sequence))
      return;
    let publication: Publication;
    try {
      publication = readRecord(entry.record);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.delivery.unreadable(this, entry.sequence, error);
      this.acknowledge(entry.sequence);
      return;
    }
    this.delivery.sendLogged(this, entry.sequence, publication);
  }

  /**
   * Numbers that the log still counts and does not return have expired [MQTT-3.3.2-5]; the page in progress says from
   * which number on it counts.
   */
  private countExpired(end: number): void {
    let count = 0;
    const noted = Math.min(messagesBetween(this.next, end), gapNotedMax);
    for (let number = Math.max(this.next, this.readFirst, end - noted); number < end; number++)
      if (!this.resent.has(number) && !this.above.has(number)) count++;
    if (count > 0) this.delivery.countExpired(count);
  }

  /** Numbers from `next` up to this one are no longer in the log: expired or dropped. */
  private skipTo(sequence: number): void {
    if (sequence <= this.next) return;
    if (sequence - this.next > gapNotedMax) {
      this.skipAll(this.next, sequence - 1);
    } else {
      for (let number = this.next; number < sequence; number++) {
        if (!this.resent.has(number)) this.acknowledge(number);
      }
    }
    this.next = sequence;
  }

  /** Skips every number of this stretch, except those that a reconnect sent again. */
  private skipAll(first: number, last: number): void {
    let from = first;
    for (const number of [...this.resent].sort((a, b) => a - b)) {
      if (number < from || number > last) continue;
      if (number > from) this.skipped.push({ first: from, last: number - 1 });
      from = number + 1;
    }
    if (from <= last) this.skipped.push({ first: from, last });
    this.advance();
    if (!this.isDetached) this.delivery.markDirty(this);
  }

  /** Moves `acknowledged` over the finished numbers behind it. */
  private advance(): void {
    for (;;) {
      while (this.above.size > 0 && this.above.delete(this.acknowledged + 1)) this.acknowledged++;
      const [stretch] = this.skipped;
      if (stretch === undefined || stretch.first > this.acknowledged + 1) return;
      this.skipped.shift();
      this.acknowledged = Math.max(this.acknowledged, stretch.last);
      for (const number of this.above) if (number <= this.acknowledged) this.above.delete(number);
    }
  }

  /** The client has this message. The store learns of it with the session's next update. */
  acknowledge(sequence: number): void {
    if (sequence <= this.acknowledged) return;
    this.resent.delete(sequence);
    if (sequence === this.acknowledged + 1) {
      this.acknowledged = sequence;
      this.advance();
    } else {
      this.above.add(sequence);
    }
    if (!this.isDetached) this.delivery.markDirty(this);
  }

  stored(): Cursor {
    const above = [...this.above].sort((a, b) => a - b);
    const cursor: Cursor = { filter: this.log.filter, acknowledged: this.acknowledged, above };
    if (this.owed !== undefined && this.owed.sequence < endUnknown) cursor.owed = this.owed;
    return cursor;
  }
}

/** Ends a cursor of a subscription of QoS 0 whose client has received all that was owed. */
export function isServed({ acknowledged, owed }: Pick<Cursor, 'acknowledged' | 'owed'>): boolean {
  return owed !== undefined && acknowledged >= owed.sequence;
}
