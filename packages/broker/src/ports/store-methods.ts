/**
 * Methods of a store by name, for a store that passes every call on: to another thread, to a clock, to a test.
 */
import type { StoreParts } from './store.ts';

export type StorePart = keyof StoreParts;

/** `sessions.claim`, `logs.append` … */
export type StoreMethod = { [Part in StorePart]: `${Part}.${keyof StoreParts[Part] & string}` }[StorePart];

/** A call of any method. */
export type StoreCall = (...parameters: unknown[]) => Promise<unknown>;

/** Every method; one that is missing does not compile. */
// biome-ignore format: a table
const methods: Record<StoreMethod, true> = {
  'sessions.claim': true, 'sessions.release': true, 'sessions.subscribe': true, 'sessions.unsubscribe': true, 'sessions.endCursors': true,
  'sessions.update': true, 'sessions.delete': true, 'sessions.expire': true, 'sessions.nextDue': true, 'sessions.releaseOwner': true,
  'sessions.owners': true, 'sessions.count': true, 'sessions.find': true,
  'logs.durableFilters': true, 'logs.ends': true, 'logs.bytes': true, 'logs.append': true, 'logs.read': true, 'logs.trim': true,
  'groups.list': true, 'groups.claim': true, 'groups.update': true, 'groups.reserve': true, 'groups.reservations': true,
  'retained.set': true, 'retained.read': true, 'retained.count': true, 'retained.expire': true,
  'wills.set': true, 'wills.schedule': true, 'wills.nextDue': true, 'wills.takeDue': true, 'wills.remove': true,
  'delayed.add': true, 'delayed.nextDue': true, 'delayed.takeDue': true, 'delayed.remove': true,
  'bans.put': true, 'bans.remove': true, 'bans.changes': true, 'bans.expire': true,
  'adminKeys.put': true, 'adminKeys.remove': true, 'adminKeys.used': true, 'adminKeys.list': true,
};

export const storeMethods = Object.keys(methods) as StoreMethod[];

/** The method as a function of its own. */
export function methodOf(store: StoreParts, method: StoreMethod): StoreCall {
  const [part, name] = method.split('.') as [StorePart, string];
  const owner = store[part] as unknown as Record<string, StoreCall>;
  return owner[name].bind(owner);
}

/** The parts of a store whose methods are made one by one. */
export function partsOf(make: (method: StoreMethod) => StoreCall): StoreParts {
  const parts: Record<string, Record<string, StoreCall>> = {};
  for (const method of storeMethods) {
    const [part, name] = method.split('.');
    parts[part] ??= {};
    parts[part][name] = make(method);
  }
  return parts as unknown as StoreParts;
}
