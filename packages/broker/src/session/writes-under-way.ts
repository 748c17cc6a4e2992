/**
 * Writes that were begun before a moment: a wait for them must not become a wait for those that are begun later, or it
 * never ends under load.
 *
 * ```
 *   begun     w1 w2 │ w3 w4 w5 │ w6        a wait closes the generation; it is over when its own and all older ones are empty
 *             gen 1 │  gen 2   │ gen 3
 * ```
 */
class Generation {
  count = 0;
  readonly waiters: (() => void)[] = [];
}

export class WritesUnderWay {
  private readonly generations: Generation[] = [new Generation()];

  /** Registers a write that begins. Pass the returned value to `end`. */
  begin(): Generation {
    const current = this.generations[this.generations.length - 1];
    current.count++;
    return current;
  }

  end(generation: Generation): void {
    generation.count--;
    while (this.generations[0].count === 0) {
      for (const wake of this.generations[0].waiters.splice(0)) wake();
      if (this.generations.length === 1) return;
      this.generations.shift();
    }
  }

  /** Resolves when every write begun until now has ended. */
  settled(): Promise<void> {
    const current = this.generations[this.generations.length - 1];
    if (this.generations.length === 1 && current.count === 0) return Promise.resolve();
    // None begun since the last wait: both waits end together.
    const closed = current.count === 0 ? this.generations[this.generations.length - 2] : current;
    if (closed === current) this.generations.push(new Generation());
    return new Promise((resolve) => closed.waiters.push(resolve));
  }
}

export type { Generation };
