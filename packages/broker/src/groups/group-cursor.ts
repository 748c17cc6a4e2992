/**
 * Cursor of a shared group: its position in the log of its filter.
 *
 * ```
 *   log      1  2  3  4  5  6  7  8  9 …
 *   acknowledged = 2 ┘     └──┘  └ above = [4, 5, 7, 7]
 * ```
 *
 * It holds ranges, not numbers: one message that a member holds for days must not make the rest grow with the log (P7).
 * There is at most one range more than messages that are assigned.
 */
import type { StoredGroupCursor } from '../ports/group-store.ts';

export class GroupCursor {
  /** Every number up to and including this one is done with. */
  acknowledged: number;
  /** First and last number of each range above, ascending; no two touch. */
  private readonly above: number[];

  constructor(stored: StoredGroupCursor) {
    this.acknowledged = stored.acknowledged;
    this.above = [...stored.above];
  }

  has(sequence: number): boolean {
    if (sequence <= this.acknowledged) return true;
    const at = this.rangeFrom(sequence);
    return at < this.above.length && this.above[at] <= sequence;
  }

  add(sequence: number): void {
    this.addAll(sequence, sequence);
  }

  /** Every number from `first` to `last`. */
  addAll(first: number, last: number): void {
    if (last <= this.acknowledged || last < first) return;
    const { above } = this;
    let from = first;
    let to = last;
    // The ranges that this one touches become one with it.
    const start = this.rangeFrom(from - 1);
    let end = start;
    for (; end < above.length && above[end] <= to + 1; end += 2) {
      from = Math.min(from, above[end]);
      to = Math.max(to, above[end + 1]);
    }
    if (from <= this.acknowledged + 1) {
      this.acknowledged = to;
      above.splice(0, end);
    } else {
      above.splice(start, end - start, from, to);
    }
  }

  /** Adds the cursor that another leader has stored. */
  merge(stored: StoredGroupCursor): void {
    this.addAll(this.acknowledged + 1, stored.acknowledged);
    for (let at = 0; at < stored.above.length; at += 2) this.addAll(stored.above[at], stored.above[at + 1]);
  }

  /** Numbers above `acknowledged` that are done with. */
  get aboveCount(): number {
    let count = 0;
    for (let at = 0; at < this.above.length; at += 2) count += this.above[at + 1] - this.above[at] + 1;
    return count;
  }

  stored(failed: ReadonlyMap<number, number>): StoredGroupCursor {
    return { acknowledged: this.acknowledged, above: [...this.above], failed: [...failed].flat() };
  }

  /** Index of the first range that ends at this number or behind it. */
  private rangeFrom(sequence: number): number {
    let low = 0;
    let high = this.above.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.above[middle * 2 + 1] < sequence) low = middle + 1;
      else high = middle;
    }
    return low * 2;
  }
}
