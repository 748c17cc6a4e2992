/**
 * Subscriptions that are taken out of force since the rules do not allow them, and put back when they do. No call to
 * the store: there they stay.
 *
 * | | taken out | put back |
 * | --- | --- | --- |
 * | at CONNECT | `setAside`, before anything of the session is in force; messages in flight are withheld | at a later CONNECT, with what was withheld; or by `resume` |
 * | while connected | `suspend`, when rules change; messages in flight are the client's already | `resume`: when rules change, or with a new SUBSCRIBE |
 */
import { isShared, topicMatchesFilter } from '@dunlin/protocol';
import type { Cursor, SessionChange, StoredOutbound, StoredSession } from '../ports/session-store.ts';
import type { LogCursor } from '../session/log-cursor.ts';
import type { Session } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';
import type { Subscription } from '../session/subscription.ts';
import { SuspendedSubscriptions } from '../session/suspended-subscriptions.ts';
import { detachCursor, place, restoreSubscription, type SubscriptionParts, takeOut } from './session-subscriptions.ts';

/**
 * Takes the denied filters out of a stored session that is not in force yet. Returns what the store is to be told of
 * handshakes whose content the client has had; null: nothing.
 */
export function setAside(session: Session, stored: StoredSession, denied: ReadonlySet<string>): SessionChange | null {
  const suspended = new SuspendedSubscriptions<Subscription>();
  session.suspended = suspended;
  const cursors = new Map<string, Cursor>();
  for (const cursor of stored.cursors) if (denied.has(cursor.filter)) cursors.set(cursor.filter, cursor);
  for (const subscription of stored.subscriptions) {
    const { filter } = subscription;
    if (!denied.has(filter)) continue;
    suspended.byFilter.set(filter, { kind: 'stored', stored: subscription, cursor: cursors.get(filter) ?? null });
  }
  const completed = new Set<Cursor>();
  const outboundSet: StoredOutbound[] = [];
  const outbound: StoredOutbound[] = [];
  for (const message of stored.outbound) {
    const cursor = cursors.get(message.filter);
    if (!denied.has(message.filter)) outbound.push(message);
    else if (message.state === 'sent') {
      suspended.withheld.set(message.packetId, message);
      session.outboundInflight.reserve(message.packetId);
    } else if (cursor === undefined) outbound.push(message);
    else {
      // The client has it. PUBREL says nothing of its content, and the log is done with it.
      const alone: StoredOutbound = { ...message, filter: '', sequence: 0 };
      outboundSet.push(alone);
      outbound.push(alone);
      cursor.above = [...new Set([...cursor.above, message.sequence])].sort((a, b) => a - b);
      completed.add(cursor);
    }
  }
  stored.subscriptions = stored.subscriptions.filter(({ filter }) => !denied.has(filter));
  stored.cursors = stored.cursors.filter(({ filter }) => !denied.has(filter));
  stored.outbound = outbound;
  return outboundSet.length === 0 ? null : { cursors: [...completed], outboundSet };
}

/** Takes subscriptions of a session out of force. The client may acknowledge what it has in flight. */
export function suspend(parts: SubscriptionParts, session: Session, denied: readonly Subscription[]): void {
  if (denied.length === 0) return;
  session.suspended ??= new SuspendedSubscriptions();
  for (const subscription of denied) {
    const { filter, cursor } = subscription;
    session.suspended.byFilter.set(filter, { kind: 'was-in-force', subscription });
    takeOut(parts, subscription);
    if (cursor === null) continue;
    cursor.isSuspended = true;
    cursor.log.removeReader(cursor);
  }
  dropWaiting(parts, session);
}

/** Puts a suspended subscription into force again. False: there is none. */
export function resume(parts: SubscriptionParts, session: Session, filter: string): boolean {
  const { suspended } = session;
  const found = suspended?.byFilter.get(filter);
  if (suspended === null || found === undefined) return false;
  suspended.byFilter.delete(filter);
  if (found.kind === 'stored') {
    restoreSubscription(parts, session, found.stored, found.cursor);
    const cursor = session.subscriptions.get(filter)?.cursor ?? null;
    // They are sent again at the next CONNECT, with their packet identifiers.
    if (cursor !== null)
      for (const message of suspended.withheld.values()) if (message.filter === filter) cursor.markResent(message);
    cursor?.pump();
    return true;
  }
  const { subscription } = found;
  const { cursor } = subscription;
  if (cursor !== null) {
    cursor.isSuspended = false;
    cursor.log.addReader(cursor);
    cursor.checkEnd();
  }
  place(parts, subscription);
  cursor?.pump();
  return true;
}

/** Gives back what suspended subscriptions of a session that ends are charged for. */
export function forgetSuspended({ budget }: Pick<SubscriptionParts, 'budget'>, session: Session): void {
  for (const [filter, { kind }] of session.suspended?.byFilter ?? [])
    if (kind === 'was-in-force') budget.giveBack(session, filter);
  session.suspended?.byFilter.clear();
}

/**
 * Ends a suspended subscription as UNSUBSCRIBE asks; its cursor is added to `left`. A withheld message of QoS 2 is
 * released, since the client may have it. False: there is none.
 */
export function endSuspended(
  parts: SubscriptionParts,
  writer: SessionWriter,
  session: Session,
  filter: string,
  left: Set<LogCursor>,
): boolean {
  const { suspended } = session;
  const found = suspended?.byFilter.get(filter);
  if (suspended === null || found === undefined) return false;
  suspended.byFilter.delete(filter);
  if (found.kind === 'was-in-force') {
    const { subscription } = found;
    parts.budget.giveBack(session, filter);
    detachCursor(subscription);
    if (subscription.cursor !== null) left.add(subscription.cursor);
  }
  for (const message of [...suspended.withheld.values()]) {
    if (message.filter !== filter) continue;
    const { packetId, qos } = message;
    suspended.withheld.delete(packetId);
    session.outboundInflight.endReservation(packetId, qos === 2);
    if (qos === 1) writer.completed(session, packetId);
    else {
      const released: StoredOutbound = { ...message, state: 'released', filter: '', sequence: 0, record: null };
      writer.setOutbound(session, released, () => session.outlet.sendAcknowledgement(6, packetId, 0));
    }
  }
  return true;
}

/** Drops messages that wait for the window, and that no subscription is for any more. */
function dropWaiting({ metrics }: SubscriptionParts, session: Session): void {
  const { waiting, subscriptions } = session;
  if (waiting === null) return;
  for (let left = waiting.length; left > 0; left--) {
    const message = waiting.shift();
    if (message === undefined) return;
    const { filter } = message.subscription;
    if (subscriptions.has(filter) || (!isShared(filter) && isWanted(session, message.publication.topic()))) {
      waiting.push(message);
      continue;
    }
    metrics.messagesWaiting--;
    metrics.dropped['not-authorized']++;
  }
}

function isWanted({ subscriptions }: Session, topic: string): boolean {
  for (const filter of subscriptions.keys()) if (!isShared(filter) && topicMatchesFilter(topic, filter)) return true;
  return false;
}
