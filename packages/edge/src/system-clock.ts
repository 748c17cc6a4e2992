import type { Clock } from '@dunlin/broker';

/**
 * Periods of aligned timers: from its second call on, a timer fires at whole quarters of a second, or tenths if that is
 * what it was asked for. An idle worker has two dozen timers, and their cost is waking up: 0.4 ms of CPU each time,
 * with all that was in the processor's cache gone (three nodes at rest on two cores). At their own times they are over
 * fifty wake-ups a second, together they are four. The first call is exact: it may be a deadline.
 */
const alignedMilliseconds: readonly number[] = [250, 100];

interface Timer {
  readonly milliseconds: number;
  /** The times of its calls are multiples of it; 0: of nothing. */
  readonly alignment: number;
  readonly callback: () => void;
  /** Time on the clock of `performance.now`. */
  at: number;
}

/** All timers of a thread on one of the system's. */
class Timers {
  readonly #timers = new Set<Timer>();
  #handle: NodeJS.Timeout | null = null;
  #wakesAt = Number.POSITIVE_INFINITY;

  add(milliseconds: number, callback: () => void): () => void {
    const alignment = alignedMilliseconds.find((aligned) => milliseconds % aligned === 0) ?? 0;
    const timer = { milliseconds, alignment, callback, at: performance.now() + milliseconds };
    this.#timers.add(timer);
    if (timer.at < this.#wakesAt) this.#arm();
    return () => {
      if (this.#timers.delete(timer) && this.#timers.size === 0) this.#arm();
    };
  }

  #arm(): void {
    if (this.#handle !== null) clearTimeout(this.#handle);
    this.#handle = null;
    this.#wakesAt = Number.POSITIVE_INFINITY;
    for (const { at } of this.#timers) if (at < this.#wakesAt) this.#wakesAt = at;
    // Without timers nothing keeps the thread alive.
    if (this.#timers.size === 0) return;
    this.#handle = setTimeout(() => this.#fire(), Math.max(0, Math.ceil(this.#wakesAt - performance.now())));
  }

  #fire(): void {
    const now = performance.now();
    // The system's timers count whole milliseconds: what is due within this one is due.
    const due = [...this.#timers].filter(({ at }) => at < now + 1);
    for (const timer of due) timer.at = nextCall(timer, now);
    // First, so that what a callback throws ends nothing but what it would have ended with a timer of its own.
    this.#arm();
    for (const timer of due) if (this.#timers.has(timer)) timer.callback();
  }
}

/** Calls that were missed in a stall are not made up for. */
function nextCall({ milliseconds, alignment, at }: Timer, now: number): number {
  const next = at + milliseconds > now ? at + milliseconds : now + milliseconds;
  return alignment === 0 ? next : Math.ceil(next / alignment - 0.01) * alignment;
}

const timers = new Timers();

/** The clock port over the system's clock and the event loop of the thread. */
export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  every(milliseconds: number, callback: () => void): () => void {
    return timers.add(milliseconds, callback);
  }

  nextTurn(callback: () => void): void {
    setImmediate(callback);
  }
}
