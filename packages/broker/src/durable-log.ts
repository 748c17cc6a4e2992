/**
 * A worker's view of the log of one durable filter: how far it goes, and which local sessions follow it.
 */
import type { LogCursor } from './log-cursor.ts';
import type { Publication } from './publication.ts';

/** Logs with local cursors, for looking at their ends in turn (log-ends.ts). */
export class FollowedLogs {
  readonly list: DurableLog[] = [];

  add(log: DurableLog): void {
    log.followedAt = this.list.length;
    this.list.push(log);
  }

  /** In one step; the last one takes its place. */
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
  /** The highest number that has come with its message, or that cursors were told to read up to: no live cursor is behind it. */
  heard: number;
  readonly cursors: LogCursor[] = [];
  /** `heard` when its end was looked at last. */
  heardAtLook = -1;
  /** An end that the store told and that no frame has brought: if that stays so, the frames were lost. */
  suspectedEnd = 0;
  /** Its place among the followed logs. */
  followedAt = 0;
  private readonly followed: FollowedLogs;

  constructor(filter: string, lastSequence: number, followed: FollowedLogs) {
    this.filter = filter;
    this.lastSequence = lastSequence;
    this.heard = lastSequence;
    this.followed = followed;
  }

  addCursor(cursor: LogCursor): void {
    if (this.cursors.length === 0) this.followed.add(this);
    this.cursors.push(cursor);
  }

  removeCursor(cursor: LogCursor): void {
    const at = this.cursors.indexOf(cursor);
    if (at < 0) return;
    const last = this.cursors.pop();
    if (last !== undefined && last !== cursor) this.cursors[at] = last;
    if (this.cursors.length === 0) this.followed.remove(this);
  }

  /** A message that the log has taken under this number. */
  arrived(sequence: number, publication: Publication): void {
    if (sequence > this.lastSequence) this.lastSequence = sequence;
    if (sequence > this.heard) this.heard = sequence;
    const cursors = this.cursors;
    for (let i = 0; i < cursors.length; i++) cursors[i].arrived(sequence, publication);
  }

  /** The log goes further than any frame has told: cursors that believed to be at its end read it. */
  endSeen(sequence: number): void {
    if (sequence > this.lastSequence) this.lastSequence = sequence;
    if (sequence > this.heard) this.heard = sequence;
    for (const cursor of [...this.cursors]) cursor.endMoved(sequence);
  }
}
