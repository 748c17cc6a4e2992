/**
 * Reader of a log for the leader of a shared group: a page at a time, and messages as they are appended once it has
 * reached the end. The leader can send it back to any number: it reads from there again, and skips messages that are
 * done or assigned.
 */

import { RecordError, readRecord } from '../message/message-record.ts';
import type { Publication } from '../message/publication.ts';
import type { Clock } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import { events } from '../ports/log-events.ts';
import type { LogEntry, LogStore } from '../ports/log-store.ts';
import type { LogEvent } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { DurableLog, LogReader } from '../session/durable-log.ts';
import { isParticular } from '../subscriptions/shared-subscriptions.ts';
import type { TurnClock } from '../work/turn-clock.ts';

const noEntries: LogEntry[] = [];

/** Log event of a group whose log or state could not be read or written. */
export type GroupFault = LogEvent<'warn', 'group' | 'error'>;

export interface GroupReaderParts {
  log: DurableLog;
  logStore: LogStore;
  clock: Clock;
  metrics: Metrics;
  limits: Limits;
  delivery: { readonly turn: TurnClock };
  /** True when messages may be assigned now. */
  isOpen: () => boolean;
  /** True when the message with this number is still to be assigned. */
  waits: (sequence: number) => boolean;
  /** Assigns a message. False: no member has room for it. */
  assign: (sequence: number, publication: Publication) => boolean;
  /** Skips numbers that are no longer in the log: expired or dropped. */
  passOver: (first: number, last: number) => void;
  failed: (event: GroupFault, error: unknown) => void;
}

export class GroupReader implements LogReader {
  readerAt = -1;
  private readonly parts: GroupReaderParts;
  /** Messages that were read and are not assigned. */
  private page = noEntries;
  /** The first number that was not read. */
  private next: number;
  /** Everything up to the end of the log was assigned, and messages come as they are appended. */
  private isLive = false;
  private isReading = false;
  private isReadLater = false;
  /** Increased when a read that is under way is no longer what comes next. */
  private round = 0;
  /** The end of the log was seen since the beginning, or since frames may have been lost. */
  private isChecked = false;

  constructor(parts: GroupReaderParts, next: number) {
    this.parts = parts;
    this.next = next;
    parts.log.addReader(this);
  }

  stop(): void {
    this.parts.log.removeReader(this);
    this.page = noEntries;
  }

  /** Goes back to this number, if it is past it. */
  rewind(sequence: number): void {
    const first = this.page.length > 0 ? Math.min(this.page[0].sequence, sequence) : sequence;
    this.page = noEntries;
    this.next = Math.min(this.next, first);
    this.round++;
    this.isLive = false;
  }

  arrived(sequence: number, publication: Publication): void {
    if (!this.isLive || sequence < this.next) return;
    if (sequence > this.next) {
      this.parts.metrics.logGaps++;
      this.isLive = false;
      this.pump();
    } else if (!this.parts.waits(sequence) || (this.parts.isOpen() && this.parts.assign(sequence, publication))) {
      this.next = sequence + 1;
    } else {
      this.isLive = false;
    }
  }

  endMoved(sequence: number): void {
    if (!this.isLive || this.next > sequence) return;
    this.isLive = false;
    this.pump();
  }

  /** Reads to the end of the log: endpoints may have appended before they knew of this reader. */
  checkEnd(): void {
    this.isChecked = false;
    this.isLive = false;
    this.pump();
  }

  /** Assigns messages as far as members have room. Called when room comes, and when there is more to assign. */
  pump(): void {
    if (this.isLive || this.isReading || !this.parts.isOpen()) return;
    if (!this.assignPage()) return;
    if (this.isChecked && this.next > this.parts.log.lastSequence) this.isLive = true;
    else this.read();
  }

  /** Reads a page again that the store failed to give. */
  retry(): void {
    if (!this.isReadLater) return;
    this.isReadLater = false;
    this.pump();
  }

  /** False: part of the page is left, since no member has room for it. */
  private assignPage(): boolean {
    const { page } = this;
    const left: LogEntry[] = [];
    for (let at = 0; at < page.length; at++) {
      if (this.assignEntry(page[at])) continue;
      left.push(page[at]);
      if (isParticular(this.parts.limits.sharedStrategy)) continue; // the next one may be for another member
      left.push(...page.slice(at + 1));
      break;
    }
    this.page = left;
    return left.length === 0;
  }

  private assignEntry({ sequence, record }: LogEntry): boolean {
    if (!this.parts.waits(sequence)) return true;
    let publication: Publication;
    try {
      publication = readRecord(record);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.parts.failed(events['group-message.skipped'], error);
      this.parts.passOver(sequence, sequence);
      return true;
    }
    return this.parts.assign(sequence, publication);
  }

  private read(): void {
    const { parts, round } = this;
    const { log, limits, logStore, clock } = parts;
    const knownEnd = log.lastSequence;
    this.isReading = true;
    logStore.read(log.filter, this.next, limits.logPageMessages, limits.logPageBytes, clock.now()).then(
      ({ entries, firstSequence, lastSequence }) => {
        this.isReading = false;
        parts.delivery.turn.renew();
        if (lastSequence > log.lastSequence) log.lastSequence = lastSequence;
        if (round === this.round) {
          this.isChecked = true;
          this.pageRead(entries, Math.max(lastSequence + 1, firstSequence));
          // The store has less than was heard of before: it answers from an older state. It is asked again later, not
          // in a loop.
          this.isReadLater = entries.length === 0 && lastSequence < knownEnd;
        }
        if (!this.isReadLater) this.pump();
      },
      (error: unknown) => {
        this.isReading = false;
        this.isReadLater = true;
        parts.failed(events['group-log.read-failed'], error);
      },
    );
  }

  private pageRead(entries: LogEntry[], nextIfNone: number): void {
    const { passOver } = this.parts;
    let from = this.next;
    for (const { sequence } of entries) {
      if (sequence > from) passOver(from, sequence - 1);
      from = sequence + 1;
    }
    if (entries.length === 0 && nextIfNone > from) {
      passOver(from, nextIfNone - 1);
      from = nextIfNone;
    }
    this.page = entries;
    this.next = from;
  }
}
