import type { Clock } from '@dunlin/broker';

/** Failures in a row after which the service is left alone for a while. */
const failuresMax = 5;
const openMilliseconds = 5000;

/**
 * Circuit breaker: after five failures in a row nothing is asked for five seconds, so that clients hear at once what they would hear after a time-out. Then one
 * question is let through; when it is answered, all are.
 *
 * ```
 *   closed ── 5 failures ──> open ── 5 s ──> half open ── an answer ──> closed
 *                             └───────<── a failure ──────┘
 * ```
 */
export class Circuit {
  readonly #clock: Clock;
  #failures = 0;
  /** Milliseconds since 1970 until which nothing is asked; 0: closed. */
  #openUntil = 0;
  #isProbing = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True when the service may be asked now. Each question has to end with `succeeded` or `failed`. */
  enter(): boolean {
    if (this.#openUntil === 0) return true;
    if (this.#isProbing || this.#clock.now() < this.#openUntil) return false;
    this.#isProbing = true;
    return true;
  }

  /** True from the failures on until the service has answered again. */
  get isOpen(): boolean {
    return this.#openUntil !== 0;
  }

  /** Returns true when the service had been away. */
  succeeded(): boolean {
    const wasOpen = this.#openUntil !== 0;
    this.#failures = 0;
    this.#openUntil = 0;
    this.#isProbing = false;
    return wasOpen;
  }

  /** Returns true when the circuit opens by this failure, the first time of an outage. */
  failed(): boolean {
    const wasOpen = this.#openUntil !== 0;
    this.#isProbing = false;
    this.#failures++;
    if (this.#failures < failuresMax) return false;
    this.#openUntil = this.#clock.now() + openMilliseconds;
    return !wasOpen;
  }
}
