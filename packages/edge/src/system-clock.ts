import type { Clock } from '@dunlin/broker';

/** The clock port over the system's clock and the event loop of the thread. */
export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  every(milliseconds: number, callback: () => void): () => void {
    const timer = setInterval(callback, milliseconds);
    return () => clearInterval(timer);
  }

  nextTurn(callback: () => void): void {
    setImmediate(callback);
  }
}
