import { performance } from 'node:perf_hooks';
import type { Histogram, Store } from '@dunlin/broker';
import type { StoreOperation } from './worker-figures.ts';

/** Operation that each call of the store is counted under. */
// biome-ignore format: a table
export const operationOf: Record<Exclude<keyof Store, 'name' | 'open' | 'close'>, StoreOperation> = {
  claim: 'claim', release: 'release', subscribe: 'subscribe', unsubscribe: 'subscribe', endCursors: 'subscribe', update: 'update',
  append: 'append', readLog: 'read-log', logEnds: 'read-log', setRetained: 'write-retained', readRetained: 'read-retained',
  deleteSession: 'other', expireSessions: 'other', releaseOwner: 'other', owners: 'other', dueTimes: 'other', countSessions: 'other', countRetained: 'other',
  durableFilters: 'other', durableGroups: 'other', trimLogs: 'other', claimGroup: 'other', updateGroup: 'update', reserveMessages: 'update', groupReservations: 'other',
  setWill: 'other', scheduleWill: 'other', takeDueWills: 'other', removeWill: 'other',
  addDelayed: 'other', takeDueDelayed: 'other', removeDelayed: 'other',
};

/** The same store, with the time that each call takes counted, from the call to its answer or failure. */
export function measuredStore(store: Store, seconds: Record<StoreOperation, Histogram>): Store {
  const measured: Record<string, unknown> = {
    name: store.name,
    open: () => store.open(),
    close: () => store.close(),
  };
  for (const [name, operation] of Object.entries(operationOf)) {
    const histogram = seconds[operation];
    const call = store[name as keyof typeof operationOf] as (...words: unknown[]) => Promise<unknown>;
    measured[name] = (...words: unknown[]): Promise<unknown> => {
      const begun = performance.now();
      const answer = call.apply(store, words);
      const ended = (): void => histogram.observe((performance.now() - begun) / 1000);
      answer.then(ended, ended);
      return answer;
    };
  }
  return measured as unknown as Store;
}
