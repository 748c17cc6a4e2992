/** The log of one durable filter as this worker sees it: its end, and its local readers. */
import type { Publication } from '../message/publication.ts';

/** Local reader of a log: the cursor of a durable session, or the leader of a shared group. */
export interface LogReader {
  /** Position among the readers of its log, kept by the log; -1: it is not one of them. */
  readerAt: number;
  /** A message was appended; called in the order of the numbers unless frames overtook each other. */
  arrived(sequence: number, publication: Publication): void;
  /** The log goes on up to this number, whether its messages were received or not. */
  endMoved(sequence: number): void;
}

/** Told of a log whose end in the store lies before one seen earlier: the store has lost recent writes. */
export type WentBack = (log: DurableLog, end: number) => void;

/** Logs with local readers, whose ends are checked in turn (log-ends.ts). */
export class FollowedLogs {
  readonly list: DurableLog[] = [];
  /** Number of times that the known ends were discarded. */
  forgotten = 0;

  add(log: DurableLog): void {
    log.followedAt = this.list.length;
    this.list.push(log);
  }

  /** Discards the known ends of all logs: they may count messages that the store has lost. */
  forgetEnds(): void {
    this.forgotten++;
    for (const log of this.list) log.forgetEnd();
  }

  /** Removes a log in constant time: the last one takes its place. */
  remove(log: DurableLog): void {
    const last = this.list.pop();
    if (last === undefined || last === log) return;
    this.list[log.followedAt] = last;
    last.followedAt = log.followedAt;
  }
}

export class DurableLog {
  readonly filter: string;
  /** The highest number known here, from whatever source. Other endpoints may have appended more. */
  lastSequence: number;
  /**
   * The highest number that was received with its message, or that readers were told to read up to: no live reader is
   * behind it.
   */
  heard: number;
  readonly readers: LogReader[] = [];
  /** `heard` at the last check of its end. */
  heardAtLook = -1;
  /** An end reported by the store that no frame has brought: if that stays so, the frames were lost. */
  suspectedEnd = 0;
  /** Its end when it was noticed that the log had lost writes; -1: it never has. */
  setBackTo = -1;
  /** Value of `followed.forgotten` when its end was known last. */
  private forgotten: number;
  /** Position among the followed logs. */
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

  /** Removes a reader in constant time: the last one takes its place. */
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

  /** The log has appended a message under this number. */
  arrived(sequence: number, publication: Publication): void {
    if (sequence > this.lastSequence) this.lastSequence = sequence;
    if (sequence > this.heard) this.heard = sequence;
    const readers = this.readers;
    for (let i = 0; i < readers.length; i++) readers[i].arrived(sequence, publication);
  }

  /** The store has lost recent writes: it has no more than this. */
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

  /** The log goes on behind what frames have brought: live readers read it. */
  endSeen(sequence: number): void {
    if (sequence > this.lastSequence) this.lastSequence = sequence;
    if (sequence > this.heard) this.heard = sequence;
    for (const reader of [...this.readers]) reader.endMoved(sequence);
  }
}
