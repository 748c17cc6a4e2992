/** Port: time. A fake one drives tests and the simulation. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `callback` every `milliseconds` until the returned function is called. The worker has a handful of these, never one per client. */
  every(milliseconds: number, callback: () => void): () => void;
  /** Calls `callback` once, after the work of this turn of the event loop. */
  nextTurn(callback: () => void): void;
}
