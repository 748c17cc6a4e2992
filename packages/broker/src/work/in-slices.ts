/**
 * Work on all that one session has, a slice a turn: a session of 20,000 filters is put in force, and taken out of it, without anybody else waiting for it.
 */
import type { Clock } from '../ports/clock.ts';

/** Putting a subscription in force, or out of it, takes about 10 µs: 2 to 3 ms a turn. */
export const sliceItems = 250;

/** Null: all is done already, which is so with up to one slice. False: `isOver` said so before the end. */
export function inSlices<T>(
  clock: Clock,
  items: readonly T[],
  isOver: () => boolean,
  work: (item: T) => void,
  perTurn = sliceItems,
): Promise<boolean> | null {
  for (let i = 0; i < items.length && i < perTurn; i++) work(items[i]);
  return items.length <= perTurn ? null : rest(clock, items, isOver, work, perTurn);
}

async function rest<T>(
  clock: Clock,
  items: readonly T[],
  isOver: () => boolean,
  work: (item: T) => void,
  perTurn: number,
): Promise<boolean> {
  for (let at = perTurn; at < items.length; ) {
    await nextTurn(clock);
    if (isOver()) return false;
    for (const end = Math.min(at + perTurn, items.length); at < end; at++) work(items[at]);
  }
  return true;
}

export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.nextTurn(resolve));
}
