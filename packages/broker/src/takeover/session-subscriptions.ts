/**
 * A session's subscriptions in the tree, in shared groups and in logs.
 */
import { parseShare } from '@dunlin/protocol';
import type { Routes } from '../cluster/routes.ts';
import type { SessionDelivery } from '../delivery/session-delivery.ts';
import type { SubscriptionBudget } from '../guards/subscription-budget.ts';
import type { DurableFilters } from '../logs/durable-filters.ts';
import { events } from '../ports/log-events.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Cursor, StoredSubscription } from '../ports/session-store.ts';
import type { Store } from '../ports/store.ts';
import { StoreError } from '../ports/store-error.ts';
import { isServed, LogCursor } from '../session/log-cursor.ts';
import type { Session } from '../session/session.ts';
import { Subscription } from '../session/subscription.ts';
import { dropEmptyGroup, groupOf } from '../subscriptions/shared-subscriptions.ts';
import type { SubscriptionTree } from '../subscriptions/subscription-tree.ts';
import type { PendingWrites } from '../work/pending-writes.ts';

/** Observer of subscriptions to shared groups in force, and of sessions that end (group-logs.ts). */
export interface GroupsOfSessions {
  joined(subscription: Subscription): void;
  sessionEnded(session: Session): void;
  isServed(subscription: Subscription): boolean;
}

export interface SubscriptionParts {
  store: Pick<Store, 'sessions' | 'logs'>;
  metrics: Metrics;
  tree: SubscriptionTree;
  routes: Routes;
  durableFilters: DurableFilters;
  delivery: SessionDelivery;
  groups: GroupsOfSessions;
  pendingWrites: PendingWrites;
  budget: SubscriptionBudget;
}

/** True when the messages of a durable session come from a log, for QoS above 0 without `$share`. */
export function usesLog(session: Session, subscription: StoredSubscription): boolean {
  return session.isStored && subscription.qos > 0 && parseShare(subscription.filter) === null;
}

/** Name and filter of the group that a subscription belongs to, when it has a log, since this member is durable. */
function loggedGroupOf(session: Session, subscription: StoredSubscription): { filter: string } | null {
  return session.isStored && subscription.qos > 0 ? parseShare(subscription.filter) : null;
}

/**
 * Stored form of a subscription: a member of a group with a log that is replaced by QoS 0 stays a member, or the
 * group's waiting messages would be deleted with it.
 */
export function storedAs(session: Session, stored: StoredSubscription): StoredSubscription {
  if (!session.isStored || stored.qos > 0 || parseShare(stored.filter) === null) return stored;
  const qos = session.subscriptions.get(stored.filter)?.owedQos ?? 0;
  return qos === 0 ? stored : { ...stored, qos, noLocal: true };
}

/**
 * Puts a subscription in force, replacing the one with the same filter [MQTT-3.8.4-3]. A new one was charged when it was
 * granted. `logEnd`: the last number of its log, if it uses one.
 */
export function addSubscription(
  parts: SubscriptionParts,
  session: Session,
  stored: StoredSubscription,
  logEnd: number,
): Subscription {
  const old = session.subscriptions.get(stored.filter);
  const subscription = makeSubscription(session, stored);
  if (old !== undefined && old.cursor !== null) {
    // The cursor stays where it is; only the options change. With QoS 0 as well: for queued messages.
    if (logEnd > old.cursor.log.lastSequence) parts.durableFilters.add(stored.filter, logEnd);
    old.cursor.replace(stored.qos, logEnd);
    replaceOptions(old, subscription);
    parts.tree.touch();
    return old;
  }
  if (subscription.owedQos > subscription.qos)
    subscription.owedUpTo = Math.min(old?.qos === 0 ? old.owedUpTo : logEnd, logEnd);
  if (old !== undefined) {
    removeSubscription(parts, old);
    parts.budget.charge(session, stored.filter);
  }
  if (usesLog(session, stored)) {
    parts.durableFilters.add(stored.filter, logEnd);
    parts.routes.announceDurable(stored.filter, logEnd);
    const cursor = { filter: stored.filter, acknowledged: logEnd, above: [] };
    attachCursor(parts, session, subscription, cursor, true);
  }
  const share = loggedGroupOf(session, stored);
  if (share !== null) {
    parts.durableFilters.add(share.filter, logEnd);
    parts.durableFilters.addGroup(stored.filter);
    parts.routes.announceDurable(share.filter, logEnd);
    parts.routes.announceDurable(stored.filter, 0);
  }
  place(parts, subscription);
  return subscription;
}

/** Puts a stored subscription in force after a reconnect. */
export function restoreSubscription(
  parts: SubscriptionParts,
  session: Session,
  stored: StoredSubscription,
  cursor: Cursor | null,
): void {
  const subscription = makeSubscription(session, stored);
  if (cursor !== null && stored.qos === 0 && isServed(cursor)) {
    parts.pendingWrites.add(events['cursor.end-failed'], () => endCursors(parts, session, [stored.filter]));
  } else if (cursor !== null && session.isStored) {
    parts.durableFilters.add(stored.filter, 0);
    attachCursor(parts, session, subscription, cursor, false);
  }
  const share = loggedGroupOf(session, stored);
  if (share !== null) {
    parts.durableFilters.add(share.filter, 0);
    parts.durableFilters.addGroup(stored.filter);
    if (subscription.owedQos > subscription.qos) boundOwed(parts, subscription, share.filter);
  }
  parts.budget.charge(session, stored.filter);
  place(parts, subscription);
}

/**
 * Bounds what its group is owed. That number is not stored: what came while it was away is owed, what comes from now on
 * is not.
 */
function boundOwed({ store }: SubscriptionParts, subscription: Subscription, filter: string): void {
  store.logs.ends([filter]).then(
    ([end]) => {
      subscription.owedUpTo = end;
    },
    () => {}, // then all of this connection is owed
  );
}

/** Subscriptions replaced by ones of QoS 0 of which a session has had all that it was owed. */
export interface ServedSubscriptions {
  /** Filters of logs. */
  filters: string[];
  /** Subscriptions of groups, as they are from now on. */
  groups: StoredSubscription[];
}

/** The subscriptions that a session was owed messages for and has received them; null: there are none. */
export function servedOf(parts: Pick<SubscriptionParts, 'groups'>, session: Session): ServedSubscriptions | null {
  const filters = session.cursors.filter(isServed).map(({ filter }) => filter);
  const groups: StoredSubscription[] = [];
  if (session.isStored && session.groupMembers !== null) {
    for (const name of session.groupMembers.keys()) {
      const subscription = session.subscriptions.get(name);
      if (subscription === undefined || subscription.owedQos === subscription.qos) continue;
      if (!parts.groups.isServed(subscription)) continue;
      const { filter, retainAsPublished, identifiers } = subscription;
      const subscriptionIdentifier = identifiers?.[0] ?? 0;
      groups.push({ filter, qos: 0, noLocal: false, retainAsPublished, retainHandling: 0, subscriptionIdentifier });
    }
  }
  return filters.length + groups.length === 0 ? null : { filters, groups };
}

export async function endServed(
  parts: Pick<SubscriptionParts, 'store' | 'durableFilters'>,
  session: Session,
  { filters, groups }: ServedSubscriptions,
): Promise<void> {
  const left =
    groups.length === 0 ? null : unlessMoved(parts, () => parts.store.sessions.subscribe(session.key, groups));
  const ended = filters.length === 0 ? null : endCursors(parts, session, filters);
  await Promise.all([left, ended]);
}

/** Ends the debts of subscriptions that were replaced by ones of QoS 0: the session has received everything. */
async function endCursors(
  parts: Pick<SubscriptionParts, 'store' | 'durableFilters'>,
  session: Session,
  filters: string[],
): Promise<void> {
  await unlessMoved(parts, () => parts.store.sessions.endCursors(session.key, filters));
}

async function unlessMoved(
  parts: Pick<SubscriptionParts, 'durableFilters'>,
  write: () => Promise<unknown>,
): Promise<void> {
  try {
    await write();
    parts.durableFilters.markStale();
  } catch (error) {
    // The present owner of the session does it.
    if (!(error instanceof StoreError) || (error.code !== 'fenced' && error.code !== 'unknown-session')) throw error;
  }
}

function makeSubscription(session: Session, stored: StoredSubscription): Subscription {
  const identifiers = stored.subscriptionIdentifier === 0 ? null : [stored.subscriptionIdentifier];
  const { filter, qos, noLocal, retainAsPublished } = stored;
  if (!noLocal || parseShare(filter) === null)
    return new Subscription({ session, filter, qos, noLocal, retainAsPublished, identifiers });
  const owed = new Subscription({ session, filter, qos: 0, noLocal: false, retainAsPublished, identifiers });
  owed.owedQos = qos;
  return owed;
}

function replaceOptions(old: Subscription, by: Subscription): void {
  old.qos = by.qos;
  old.noLocal = by.noLocal;
  old.retainAsPublished = by.retainAsPublished;
  old.identifiers = by.identifiers;
}

function attachCursor(
  parts: SubscriptionParts,
  session: Session,
  subscription: Subscription,
  cursor: Cursor,
  isNew: boolean,
): void {
  const log = parts.durableFilters.add(cursor.filter, 0);
  const attached = new LogCursor({ delivery: parts.delivery.logs, session, log, subscription, stored: cursor, isNew });
  subscription.cursor = attached;
  session.addCursor(attached);
  log.addReader(attached);
}

/** Puts a subscription into the tree, or into its group. */
export function place(parts: SubscriptionParts, subscription: Subscription): void {
  const { tree, routes } = parts;
  subscription.session.subscriptions.set(subscription.filter, subscription);
  parts.metrics.subscriptionsAdded++;
  const share = parseShare(subscription.filter);
  const entry = tree.entry(share?.filter ?? subscription.filter);
  if (share !== null) {
    parts.metrics.sharedSubscriptions++;
    const group = groupOf(parts.tree, entry, subscription.filter, share.filter);
    group.add(subscription);
    parts.groups.joined(subscription);
    tree.touch();
    routes.groupChanged(group);
    return;
  }
  tree.addSubscription(entry, subscription);
  routes.filterChanged(entry);
}

/** Takes a subscription out of force. The store is told by the caller. */
export function removeSubscription(parts: SubscriptionParts, subscription: Subscription): void {
  parts.budget.giveBack(subscription.session, subscription.filter);
  detachCursor(subscription);
  takeOut(parts, subscription);
}

/** Ends the reading of its log. */
export function detachCursor({ session, cursor }: Subscription): void {
  if (cursor === null) return;
  cursor.isDetached = true;
  cursor.log.removeReader(cursor);
  session.removeCursor(cursor);
}

/** Takes a subscription out of the tree, or out of its group; its cursor stays. */
export function takeOut(parts: SubscriptionParts, subscription: Subscription): void {
  const { tree, routes } = parts;
  const { session } = subscription;
  session.subscriptions.delete(subscription.filter);
  parts.metrics.subscriptionsRemoved++;
  const share = parseShare(subscription.filter);
  if (share !== null) parts.metrics.sharedSubscriptions--;
  const entry = tree.find(share?.filter ?? subscription.filter);
  if (entry === null) return;
  if (share === null) {
    tree.removeSubscription(entry, subscription);
    routes.filterChanged(entry);
    return;
  }
  const group = groupOf(parts.tree, entry, subscription.filter, share.filter);
  group.remove(subscription);
  routes.groupChanged(group);
  dropEmptyGroup(entry, group);
  tree.touch();
  tree.prune(entry);
}
