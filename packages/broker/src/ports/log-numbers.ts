/**
 * Numbers of a log: an era and a count. They grow by one from message to message; where a store may have lost some that it had given, another era begins, so that none is
 * given twice, and the count goes on.
 */
import { numbersPerEra } from './log-store.ts';

/**
 * Number of messages from this number on and before that one, as far as both are numbers of messages; 0 where the first
 * is one that the store has lost.
 */
export function messagesBetween(first: number, end: number): number {
  const count = (((end - first) % numbersPerEra) + numbersPerEra) % numbersPerEra;
  return end < first || count > numbersPerEra / 2 ? 0 : count;
}
