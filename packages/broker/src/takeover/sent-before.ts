import type { Clock } from '../ports/clock.ts';
import type { Session } from '../session/session.ts';
import { withinBound } from '../work/within-bound.ts';

/** A new owner waits this long at most until what the client sent before has taken effect. */
const settleMilliseconds = 3000;
/**
 * The same, with the client's will behind it: less than a new owner waits for the one before
 * (cluster/session-requests.ts).
 */
export const handMilliseconds = 4500;

/**
 * Resolves when what the client sent before it connected anew has taken effect, or the time is up: the rest is given up
 * then. Null: nothing waits.
 */
export function sentBefore(clock: Clock, session: Session | undefined, claimMoved: boolean): Promise<unknown> | null {
  const settled = session?.connection.holding.settle(claimMoved) ?? null;
  return settled === null ? null : withinBound(clock, settled, settleMilliseconds);
}
