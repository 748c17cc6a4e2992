import type { Clock } from '@dunlin/broker';

/** The clock of the machine. */
export const realClock: Clock = {
  now: () => Date.now(),
  every(milliseconds, callback) {
    const timer = setInterval(callback, milliseconds);
    return () => clearInterval(timer);
  },
  nextTurn: (callback) => void setImmediate(callback),
};
