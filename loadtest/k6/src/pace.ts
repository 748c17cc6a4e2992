/**
 * Times at which messages are due: `rate` a second, evenly, from `start` on. `phase`, from 0 to 1, keeps many of them
 * from being due at once.
 */
export class Pace {
  readonly #rate: number;
  readonly #phase: number;
  readonly #start: number;

  /** @param start in milliseconds, of the clock that `dueCount` is asked with */
  constructor(rate: number, phase: number, start: number) {
    this.#rate = rate;
    this.#phase = phase;
    this.#start = start;
  }

  /** Number of messages that should have been sent by `now`. */
  dueCount(now: number): number {
    return Math.max(0, Math.floor(((now - this.#start) * this.#rate) / 1000 + 1 - this.#phase));
  }

  /** Time at which the message with this number, from 0, is due. */
  dueAt(index: number): number {
    return this.#start + ((index + this.#phase) * 1000) / this.#rate;
  }
}
