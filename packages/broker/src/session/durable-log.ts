/**
 * A worker's view of the log of one durable filter: how far it goes, and who here follows it.
 */
import type { Publication } from '../message/publication.ts';

/** Somebody here who follows a log: a durable session's cursor, or the leader of a shared group. */
export interface LogReader {
  /** Its place among the readers of its log, kept by the log; -1: it is none of them. */
  readerAt: number;
  /** Called for each message that comes, in the order of their numbers unless frames overtook each other. */
  arrived(sequence: number, publication: Publication): void;
  /** The log goes on up to this number, whatever was heard. */
  endMoved(sequence: number): void;
}

/** Told of a log here that goes less far in the store than it did: the store has gone back. */
export type WentBack = (log: DurableLog, end: number) => void;

/** Logs with local readers, for looking at their ends in turn (log-ends.ts). */
export class FollowedLogs {
  readonly list: DurableLog[] = [];
  /** Number of times that what was known of ends was forgotten. */
  forgotten = 0;

  add(log: DurableLog): void {
    log.followedAt = this.list.length;
    this.list.push(log);
  }

  /** Forgets the ends of logs, followed ones and others: they may be of messages that the store has lost. */
  forgetEnds(): void {
    this.forgotten++;
    for (const log of this.list) log.forgetEnd();
  }

  /** Removes a log in one step; the last one takes its place. */
  remove(log: DurableLog): void {
    const last = this.list.pop();
    if (last === undefined || last === log) return;
    this.list[log.followedAt] = last;
    last.followedAt = log.followedAt;
  }
}

export class DurableLog {
  readonly filter: string;
  /** The highest number known here, from whatever source. Others may have appended more. */
  lastSequence: number;
  /** The highest number that has come with its message, or that readers were told to read up to: no live one is behind it. */
  heard: number;
  readonly readers: LogReader[] = [];
  /** `heard` when its end was looked at last. */
  heardAtLook = -1;
  /** An end that the store told and that no frame has brought: if that stays so, the frames were lost. */
  suspectedEnd = 0;
  /** End of the log when it was noticed that it had gone back; -1: it never has. */
  setBackTo = -1;
  /** Value of `followed.forgotten` when its end was known last. */
  private forgotten: number;
  /** Its place among the followed logs. */
  followedAt = 0;
  private readonly followed: FollowedLogs;

  constructor(filter: string, lastSequence: number, followed: FollowedLogs) {
    this.filter = filter;
    this.lastSequence = lastSequence;
    this.heard = lastSequence;
    this.followed = followed;
    this.forgotten = followed.forgotten;
  }

  addReader(reader: LogReader): void {
    if (this.readers.length === 0) {
      if (this.forgotten !== this.followed.forgotten) this.forgetEnd();
      this.followed.add(this);
    }
    reader.readerAt = this.readers.length;
    this.readers.push(reader);
  }

  /** Removes a reader in one step; the last one takes its place. */
  removeReader(reader: LogReader): void {
    const at = reader.readerAt;
    if (at < 0) return;
    const last = this.readers.pop();
    if (last !== undefined && last !== reader) {
      this.readers[at] = last;
      last.readerAt = at;
    }
    reader.readerAt = -1;
    if (this.readers.length === 0) this.followed.remove(this);
  }

  /** A message that the log has taken under this number. */
  arrived(sequence: number, publication: Publication): void {
    if (sequence > this.lastSequence) this.lastSequence = sequence;
    if (sequence > this.heard) this.heard = sequence;
    const readers = this.readers;
    for (let i = 0; i < readers.length; i++) readers[i].arrived(sequence, publication);
  }

  /** The store has gone back: it has no more than this. */
  setBack(sequence: number): void {
    this.lastSequence = sequence;
    this.heard = sequence;
    this.suspectedEnd = 0;
    this.setBackTo = sequence;
  }

  forgetEnd(): void {
    this.forgotten = this.followed.forgotten;
    this.lastSequence = 0;
    this.heard = 0;
    this.suspectedEnd = 0;
  }

  /** The log goes further than any frame has told: readers that believed to be at its end read it. */
  endSeen(sequence: number): void {
    if (sequence > this.lastSequence) this.lastSequence = sequence;
    if (sequence > this.heard) this.heard = sequence;
    for (const reader of [...this.readers]) reader.endMoved(sequence);
  }
}
