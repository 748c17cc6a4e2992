/**
 * Histogram of durations: a count for each range of seconds, and their sum.
 *
 * ```
 *   bounds   0.001     0.01      0.1
 *   counts  [  0  ) [  1  ) [  2  ) [  3, beyond the last bound )
 * ```
 */
export class Histogram {
  /** Upper bounds in seconds, ascending, each part of its range. */
  readonly bounds: readonly number[];
  /** Counts, not added up: one for each bound and one for what is above the last. */
  readonly counts: number[];
  sumSeconds = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  /** `count`: so many took as long. */
  observe(seconds: number, count = 1): void {
    const { bounds } = this;
    let at = 0;
    while (at < bounds.length && seconds > bounds[at]) at++;
    this.counts[at] += count;
    this.sumSeconds += seconds * count;
  }
}

/** Bounds for waits for a server or another node: from a call within the machine to one that is given up. */
export const latencyBounds: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
