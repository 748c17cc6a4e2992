/** Answers of the broker, counted by kind: `connack 0x87`, `suback 0x97`, `closed`. */
export class Tally {
  readonly counts = new Map<string, number>();

  add(what: string, count = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + count);
  }

  /** Adds what another process has counted. */
  merge(counts: Record<string, number>): void {
    for (const [what, count] of Object.entries(counts)) this.add(what, count);
  }

  toJSON(): Record<string, number> {
    return Object.fromEntries(this.counts);
  }

  /** The kinds, the most frequent first, as one line; empty when nothing was counted. */
  toString(): string {
    const ordered = [...this.counts].sort(([, a], [, b]) => b - a);
    return ordered.map(([what, count]) => `${what} × ${count.toLocaleString('en')}`).join(', ');
  }
}

/** A reason code as documents write it: `0x87`. */
export function codeText(code: number): string {
  return `0x${code.toString(16).padStart(2, '0')}`;
}
