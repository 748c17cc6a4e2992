import { performance } from 'node:perf_hooks';
import { type Histogram, methodOf, partsOf, type Store, type StoreMethod } from '@dunlin/broker/ports';
import type { StoreOperation } from './worker-figures.ts';

/** Operations that the calls of the store are counted under. */
// biome-ignore format: a table
export const operationOf: Record<StoreMethod, StoreOperation> = {
  'sessions.claim': 'claim', 'sessions.release': 'release', 'sessions.subscribe': 'subscribe', 'sessions.unsubscribe': 'subscribe',
  'sessions.endCursors': 'subscribe', 'sessions.update': 'update', 'sessions.delete': 'other', 'sessions.expire': 'other', 'sessions.nextDue': 'other',
  'sessions.releaseOwner': 'other', 'sessions.owners': 'other', 'sessions.count': 'other', 'sessions.find': 'other',
  'logs.append': 'append', 'logs.read': 'read-log', 'logs.ends': 'read-log', 'logs.durableFilters': 'other', 'logs.bytes': 'other', 'logs.trim': 'other',
  'groups.list': 'other', 'groups.claim': 'other', 'groups.update': 'update', 'groups.reserve': 'update', 'groups.reservations': 'other',
  'retained.set': 'write-retained', 'retained.read': 'read-retained', 'retained.count': 'other', 'retained.expire': 'other',
  'wills.set': 'other', 'wills.schedule': 'other', 'wills.nextDue': 'other', 'wills.takeDue': 'other', 'wills.remove': 'other',
  'delayed.add': 'other', 'delayed.nextDue': 'other', 'delayed.takeDue': 'other', 'delayed.remove': 'other',
  'bans.put': 'other', 'bans.remove': 'other', 'bans.changes': 'other', 'bans.expire': 'other',
  'adminKeys.put': 'other', 'adminKeys.remove': 'other', 'adminKeys.used': 'other', 'adminKeys.list': 'other',
};

/** The same store, with the time that each call takes counted, from the call to its answer or failure. */
export function measuredStore(store: Store, seconds: Record<StoreOperation, Histogram>): Store {
  const parts = partsOf((method) => {
    const histogram = seconds[operationOf[method]];
    const call = methodOf(store, method);
    return (...parameters) => {
      const begun = performance.now();
      const answer = call(...parameters);
      const ended = (): void => histogram.observe((performance.now() - begun) / 1000);
      answer.then(ended, ended);
      return answer;
    };
  });
  return { name: store.name, ...parts, open: () => store.open(), close: () => store.close() };
}
