import { afterEach, beforeEach } from 'vitest';
import type { AppendRequest } from '../ports/log-store.ts';
import type { Quota } from '../ports/quota.ts';
import type { RetainedEntry } from '../ports/retained-store.ts';
import type { SessionKey } from '../ports/session-key.ts';
import type { Claim, StoredOutbound, StoredSession, StoredSubscription } from '../ports/session-store.ts';
import type { Store } from '../ports/store.ts';

/**
 * Opens a fresh, empty store, or those of its parts that a suite needs. `reopen` closes it and opens what it left behind,
 * and is left out where nothing is left behind; `dispose` closes and removes everything.
 */
export type StoreOpener<S = Store> = () => Promise<{ store: S; reopen?: () => Promise<S>; dispose(): Promise<void> }>;

/** The store of the running test. */
export interface StoreUnderTest<S = Store> {
  store: S;
  reopen: (() => Promise<S>) | undefined;
}

/** Parts that a suite of logs needs: cursors belong to sessions. */
export type LogsUnderTest = Pick<Store, 'sessions' | 'logs'>;
/** Parts that a suite of groups needs: members belong to sessions, and a group has its place in a log. */
export type GroupsUnderTest = Pick<Store, 'sessions' | 'logs' | 'groups'>;
/** Parts that a suite of wills needs: a will is fenced by its client's claim. */
export type WillsUnderTest = Pick<Store, 'sessions' | 'wills'>;

export const owner = 'node-a/0#1';
export const otherOwner = 'node-b/0#7';
/** Time where it does not matter. */
export const now = 1_700_000_000_000;

export function storeUnderTest<S>(open: StoreOpener<S>): StoreUnderTest<S> {
  const opened: StoreUnderTest<S> = { store: null as unknown as S, reopen: undefined };
  let dispose: () => Promise<void>;
  beforeEach(async () => {
    const fresh = await open();
    opened.store = fresh.store;
    opened.reopen = fresh.reopen;
    dispose = () => fresh.dispose();
  });
  afterEach(() => dispose());
  return opened;
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function text(record: Uint8Array | null): string {
  return record === null ? 'null' : new TextDecoder().decode(record);
}

export function subscription(filter: string, qos: 0 | 1 | 2 = 1): StoredSubscription {
  return { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0, subscriptionIdentifier: 0 };
}

export function outbound(packetId: number, sequence: number, state: 'sent' | 'released' = 'sent'): StoredOutbound {
  return {
    packetId,
    state,
    qos: 2,
    filter: 'a',
    sequence,
    record: sequence === 0 ? bytes(`record ${packetId}`) : null,
  };
}

export function message(filters: string[], payload: string, more: Partial<AppendRequest> = {}): AppendRequest {
  return { filters, record: bytes(payload), expiresAt: Infinity, producer: null, inbound: null, ...more };
}

export function connect(
  store: Pick<Store, 'sessions'>,
  clientId: string,
  more: {
    owner?: string;
    clean?: boolean;
    expiry?: number;
    at?: number;
    user?: string;
    strict?: boolean;
    quota?: Quota;
  } = {},
): Promise<Claim> {
  const request = {
    clientId,
    owner: more.owner ?? owner,
    cleanStart: more.clean ?? false,
    sessionExpirySeconds: more.expiry ?? 3600,
    ...(more.user === undefined ? {} : { user: more.user }),
    ...(more.strict === undefined ? {} : { isOwnersOnly: more.strict }),
    ...(more.quota === undefined ? {} : { quota: more.quota }),
  };
  return store.sessions.claim(request, more.at ?? now);
}

/** A durable session, connected. */
export async function durable(
  store: Pick<Store, 'sessions'>,
  clientId: string,
  ...filters: string[]
): Promise<SessionKey> {
  const { epoch } = await connect(store, clientId);
  const key = { clientId, epoch };
  if (filters.length > 0)
    await store.sessions.subscribe(
      key,
      filters.map((filter) => subscription(filter)),
    );
  return key;
}

/** Claims again, to see what is stored. Fences the earlier claim. */
export async function look(store: Pick<Store, 'sessions'>, clientId: string, at = now): Promise<StoredSession | null> {
  const { session } = await connect(store, clientId, { at });
  return session === null ? null : comparable(session);
}

/** The lists of a session have no order, but for `outbound`. */
export function comparable(session: StoredSession): StoredSession {
  const byFilter = (a: { filter: string }, b: { filter: string }): number => (a.filter < b.filter ? -1 : 1);
  return {
    ...session,
    subscriptions: session.subscriptions.toSorted(byFilter),
    cursors: session.cursors.toSorted(byFilter),
    outbound: session.outbound.map((item) => ({
      ...item,
      record: item.record === null ? null : bytes(text(item.record)),
    })),
    inbound: session.inbound.toSorted((a, b) => a.packetId - b.packetId),
  };
}

/** Everything in a log, as text. */
export async function logOf(store: Pick<Store, 'logs'>, filter: string, at = now): Promise<string[]> {
  const { entries } = await store.logs.read(filter, 1, 1_000_000, 2 ** 30, at);
  return entries.map(({ sequence, record }) => `${sequence} ${text(record)}`);
}

/** All pages, in the order in which they come. */
export async function retainedOf(
  store: Pick<Store, 'retained'>,
  filter: string,
  limit = 100,
  at = now,
): Promise<RetainedEntry[]> {
  const entries: RetainedEntry[] = [];
  let after: string | null = null;
  do {
    const page = await store.retained.read(filter, after, limit, at);
    if (page.entries.length > limit)
      throw new Error(`a page of ${page.entries.length} entries for a limit of ${limit}`);
    entries.push(...page.entries);
    after = page.next;
  } while (after !== null);
  return entries;
}

export async function retainedTopics(
  store: Pick<Store, 'retained'>,
  filter: string,
  limit = 100,
  at = now,
): Promise<string[]> {
  return (await retainedOf(store, filter, limit, at)).map(({ topic }) => topic).sort();
}

/** Times from which something of each kind is due. */
export async function nextDue(store: Store, until: number): Promise<Record<'sessions' | 'wills' | 'delayed', number>> {
  const { sessions, wills, delayed } = store;
  const due = await Promise.all([sessions.nextDue(until), wills.nextDue(until), delayed.nextDue(until)]);
  return { sessions: due[0], wills: due[1], delayed: due[2] };
}

export async function filtersOf(store: Pick<Store, 'logs'>): Promise<string[]> {
  return (await store.logs.durableFilters()).map(({ filter, lastSequence }) => `${filter} ${lastSequence}`).sort();
}
