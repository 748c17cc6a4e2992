/**
 * A session's subscriptions in the tree, in shared groups and in logs.
 */
import { parseShare } from '@dunlin/protocol';
import type { Broker } from './broker.ts';
import { isServed, LogCursor } from './log-cursor.ts';
import { type Cursor, type StoredSubscription, StoreError } from './ports/store.ts';
import type { Session } from './session.ts';
import { dropEmptyGroup, groupOf } from './shared-subscriptions.ts';
import { Subscription } from './subscription.ts';

/** Where the messages of a durable session come from: a log, for QoS above 0 without `$share`. */
export function usesLog(session: Session, subscription: StoredSubscription): boolean {
  return session.stored && subscription.qos > 0 && parseShare(subscription.filter) === null;
}

/** Whether the group that a subscription belongs to has a log, since this member is durable. Then its name and filter. */
function loggedGroupOf(session: Session, subscription: StoredSubscription): { filter: string } | null {
  return session.stored && subscription.qos > 0 ? parseShare(subscription.filter) : null;
}

/** Puts a subscription in force, replacing the one with the same filter [MQTT-3.8.4-3]. `logEnd`: the last number of its log, if it uses one. */
export function addSubscription(
  broker: Broker,
  session: Session,
  stored: StoredSubscription,
  logEnd: number,
): Subscription {
  const old = session.subscriptions.get(stored.filter);
  const subscription = makeSubscription(session, stored);
  if (old !== undefined && old.cursor !== null) {
    // The cursor goes on where it is; only the options change. With QoS 0 as well: for what was queued.
    if (logEnd > old.cursor.log.lastSequence) broker.durableFilters.add(stored.filter, logEnd);
    old.cursor.replace(stored.qos, logEnd);
    replaceOptions(old, subscription);
    broker.tree.touch();
    return old;
  }
  if (old !== undefined) removeSubscription(broker, old);
  if (usesLog(session, stored)) {
    broker.durableFilters.add(stored.filter, logEnd);
    broker.routes.announceDurable(stored.filter, logEnd);
    const cursor = { filter: stored.filter, acknowledged: logEnd, above: [] };
    attachCursor(broker, session, subscription, cursor, true);
  }
  const share = loggedGroupOf(session, stored);
  if (share !== null) {
    broker.durableFilters.add(share.filter, logEnd);
    broker.durableFilters.addGroup(stored.filter);
    broker.routes.announceDurable(share.filter, logEnd);
    broker.routes.announceDurable(stored.filter, 0);
  }
  place(broker, subscription);
  return subscription;
}

/** Puts a stored subscription in force after a reconnect. */
export function restoreSubscription(
  broker: Broker,
  session: Session,
  stored: StoredSubscription,
  cursor: Cursor | null,
): void {
  const subscription = makeSubscription(session, stored);
  if (cursor !== null && stored.qos === 0 && isServed(cursor)) {
    broker.pendingWrites.add('ending a cursor', () => endCursors(broker, session, [stored.filter]));
  } else if (cursor !== null && session.stored) {
    broker.durableFilters.add(stored.filter, 0);
    attachCursor(broker, session, subscription, cursor, false);
  }
  const share = loggedGroupOf(session, stored);
  if (share !== null) {
    broker.durableFilters.add(share.filter, 0);
    broker.durableFilters.addGroup(stored.filter);
  }
  place(broker, subscription);
}

/** The session has all that it was owed by subscriptions that were replaced by ones of QoS 0. */
export async function endCursors(broker: Broker, session: Session, filters: string[]): Promise<void> {
  try {
    await broker.store.endCursors(session.key, filters);
    broker.durableFilters.markStale();
  } catch (error) {
    // Whoever has the session now does it.
    if (!(error instanceof StoreError) || (error.code !== 'fenced' && error.code !== 'unknown-session')) throw error;
  }
}

function makeSubscription(session: Session, stored: StoredSubscription): Subscription {
  const identifiers = stored.subscriptionIdentifier === 0 ? null : [stored.subscriptionIdentifier];
  return new Subscription(session, stored.filter, stored.qos, stored.noLocal, stored.retainAsPublished, identifiers);
}

function replaceOptions(old: Subscription, by: Subscription): void {
  old.qos = by.qos;
  old.noLocal = by.noLocal;
  old.retainAsPublished = by.retainAsPublished;
  old.identifiers = by.identifiers;
}

function attachCursor(
  broker: Broker,
  session: Session,
  subscription: Subscription,
  cursor: Cursor,
  isNew: boolean,
): void {
  const log = broker.durableFilters.add(cursor.filter, 0);
  const attached = new LogCursor(broker.delivery, session, log, subscription, cursor, isNew);
  subscription.cursor = attached;
  session.addCursor(attached);
  log.addReader(attached);
}

function place(broker: Broker, subscription: Subscription): void {
  const { tree, routes } = broker;
  subscription.session.subscriptions.set(subscription.filter, subscription);
  broker.metrics.subscriptionsAdded++;
  const share = parseShare(subscription.filter);
  const entry = tree.entry(share?.filter ?? subscription.filter);
  if (share !== null) {
    broker.metrics.sharedSubscriptions++;
    const group = groupOf(entry, subscription.filter, share.filter);
    group.add(subscription);
    broker.groups.joined(subscription);
    tree.touch();
    routes.groupChanged(group);
    return;
  }
  tree.addSubscription(entry, subscription);
  routes.filterChanged(entry);
}

/** Takes a subscription out of force. The store is told by the caller. */
export function removeSubscription(broker: Broker, subscription: Subscription): void {
  const { tree, routes } = broker;
  const { session } = subscription;
  session.subscriptions.delete(subscription.filter);
  broker.metrics.subscriptionsRemoved++;
  if (subscription.cursor !== null) {
    subscription.cursor.detached = true;
    subscription.cursor.log.removeReader(subscription.cursor);
    session.removeCursor(subscription.cursor);
  }
  const share = parseShare(subscription.filter);
  if (share !== null) broker.metrics.sharedSubscriptions--;
  const entry = tree.find(share?.filter ?? subscription.filter);
  if (entry === null) return;
  if (share === null) {
    tree.removeSubscription(entry, subscription);
    routes.filterChanged(entry);
    return;
  }
  const group = groupOf(entry, subscription.filter, share.filter);
  group.remove(subscription);
  routes.groupChanged(group);
  dropEmptyGroup(entry, group);
  tree.touch();
  tree.prune(entry);
}
