import type { Clock } from '../ports/clock.ts';

/** Waits for something that does not reject, for this long at most. False: it has not come. */
export async function withinBound(clock: Clock, done: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let stop = (): void => {};
  const late = new Promise<boolean>((resolve) => {
    stop = clock.every(milliseconds, () => resolve(false));
  });
  const isDone = await Promise.race([done.then(() => true), late]);
  stop();
  return isDone;
}
