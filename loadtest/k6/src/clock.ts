import execution from 'k6/execution';

/**
 * The time in parts of a millisecond. k6 has it in two places: the duration of the test, which can be read at any time, and the time of
 * an event, which for a message is when it was read from the socket, before it waited for JavaScript. This brings both to one scale.
 */
export class Clock {
  readonly #instance = execution.instance;
  /** Added to the duration of the test it gives milliseconds since the epoch. */
  #offset: number;
  #isCalibrated = false;

  constructor() {
    // To the millisecond, until an event says it better.
    this.#offset = Date.now() - this.#instance.currentTestRunDuration;
  }

  /** Milliseconds since the epoch. */
  now(): number {
    return this.#offset + this.#instance.currentTestRunDuration;
  }

  /** Milliseconds since the test began. */
  sinceStart(): number {
    return this.#instance.currentTestRunDuration;
  }

  /** Learns from an event that is called at once, such as `open`. The one that was called soonest is the best. */
  calibrate(eventTimestamp: number): void {
    const offset = eventTimestamp - this.#instance.currentTestRunDuration;
    if (this.#isCalibrated && offset <= this.#offset) return;
    this.#offset = offset;
    this.#isCalibrated = true;
  }
}
