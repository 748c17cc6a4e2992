import type { Clock } from '@dunlin/broker';

/** Resolves after so many milliseconds, or when the function given to `wake` is called. */
export function after(clock: Clock, milliseconds: number, wake: (now: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      resolve();
    };
    const cancel = clock.every(milliseconds, done);
    wake(done);
  });
}

/** Waits for a promise, but no longer than so many milliseconds. True: it was settled in time; its rejection is the caller's. */
export async function within(clock: Clock, milliseconds: number, promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  let stopWaiting: () => void = () => undefined;
  const waiting = after(clock, milliseconds, (wake) => {
    stopWaiting = wake;
  });
  await Promise.race([promise.then(() => (settled = true)), waiting]).finally(stopWaiting);
  return settled;
}
