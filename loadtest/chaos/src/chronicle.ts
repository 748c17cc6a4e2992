/** Something that happened, in milliseconds since the start of the run. */
export interface Entry {
  readonly atMilliseconds: number;
  /** The client, or the program. */
  readonly who: string;
  readonly what: string;
}

/** A fault that was done; `toMilliseconds` is null while it lasts. */
export interface DoneFault {
  readonly text: string;
  readonly fromMilliseconds: number;
  toMilliseconds: number | null;
}

/** Wrong by themselves, whatever became of the messages; more than this tell nothing new. */
const failuresMax = 100;

/** Events of a run with their times: what a person needs who looks for a cause. */
export class Chronicle {
  readonly #startedAt = performance.now();
  /** The wall clock at the start: logs of the programs have it. */
  readonly startedAt = new Date();
  readonly entries: Entry[] = [];
  readonly faults: DoneFault[] = [];
  /** Broken promises that are no messages: lost sessions, undecodable packets. */
  readonly failures: string[] = [];

  /** Milliseconds since the start. */
  now(): number {
    return performance.now() - this.#startedAt;
  }

  note(who: string, what: string): void {
    this.entries.push({ atMilliseconds: this.now(), who, what });
  }

  fail(who: string, what: string): void {
    this.note(who, what);
    if (this.failures.length < failuresMax) this.failures.push(`${this.time(this.now())} ${who}: ${what}`);
  }

  begin(text: string): DoneFault {
    const fault = { text, fromMilliseconds: this.now(), toMilliseconds: null };
    this.faults.push(fault);
    return fault;
  }

  /** `12.345 s (12:00:06.020Z)`: since the start, and as the logs of the programs have it. */
  time(milliseconds: number): string {
    const clock = new Date(this.startedAt.getTime() + milliseconds).toISOString().slice(11);
    return `${(milliseconds / 1000).toFixed(3)} s (${clock})`;
  }

  /** Faults that lasted at some time between these two. */
  faultsBetween(from: number, to: number): string[] {
    return this.faults
      .filter(({ fromMilliseconds, toMilliseconds }) => fromMilliseconds <= to && (toMilliseconds ?? to) >= from)
      .map(({ text, fromMilliseconds, toMilliseconds }) => {
        const end = toMilliseconds === null ? '' : ` to ${this.time(toMilliseconds)}`;
        return `${this.time(fromMilliseconds)}${end} ${text}`;
      });
  }

  /** Entries of these between the two times. */
  entriesBetween(from: number, to: number, who: readonly string[]): string[] {
    return this.entries
      .filter((entry) => entry.atMilliseconds >= from && entry.atMilliseconds <= to && who.includes(entry.who))
      .map((entry) => `${this.time(entry.atMilliseconds)} ${entry.who} ${entry.what}`);
  }
}
