/**
 * A worker's view of the log of one durable filter: how far it goes, and which local sessions follow it.
 */
import type { LogCursor } from './log-cursor.ts';
import type { Publication } from './publication.ts';

export class DurableLog {
  readonly filter: string;
  /** The highest number known here. Others may have appended more. */
  lastSequence: number;
  readonly cursors: LogCursor[] = [];

  constructor(filter: string, lastSequence: number) {
    this.filter = filter;
    this.lastSequence = lastSequence;
  }

  addCursor(cursor: LogCursor): void {
    this.cursors.push(cursor);
  }

  removeCursor(cursor: LogCursor): void {
    const at = this.cursors.indexOf(cursor);
    if (at < 0) return;
    const last = this.cursors.pop();
    if (last !== undefined && last !== cursor) this.cursors[at] = last;
  }

  /** A message that the log has taken under this number. */
  arrived(sequence: number, publication: Publication): void {
    if (sequence > this.lastSequence) this.lastSequence = sequence;
    const cursors = this.cursors;
    for (let i = 0; i < cursors.length; i++) cursors[i].arrived(sequence, publication);
  }
}
