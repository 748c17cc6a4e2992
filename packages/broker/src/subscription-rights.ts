/** Subscriptions that are in force already, compared with what the authorizer says now: of a session that is resumed, and of all when rules change. */
import { parseShare } from '@dunlin/protocol';
import type { Connection } from './connection.ts';
import { inTurn } from './handlers/subscribe.ts';
import { nextTurn, sliceItems } from './in-slices.ts';
import type { LogCursor } from './log-cursor.ts';
import { keepInflight } from './resends.ts';
import type { Session } from './session.ts';
import { removeSubscription } from './session-subscriptions.ts';
import type { Subscription } from './subscription.ts';

/**
 * Removes those that are not allowed any more; MQTT has no packet that would tell the client. Messages in flight are completed. Resolves when the store has
 * it; "cannot tell" means no.
 */
export function checkSubscriptions(connection: Connection, session: Session): Promise<void> {
  return inTurn(connection, () => removeForbidden(connection, session));
}

async function removeForbidden(connection: Connection, session: Session): Promise<void> {
  const { broker } = connection;
  const removed: string[] = [];
  let left = sliceItems;
  const leaving = new Set<LogCursor>();
  for (const subscription of [...session.subscriptions.values()]) {
    if (left-- === 0) {
      await nextTurn(broker.clock);
      left = sliceItems - 1;
    }
    const answer = mayKeep(connection, session, subscription);
    const isAllowed = typeof answer === 'boolean' ? answer : await answer.catch(() => false);
    if (session.ended) return;
    if (isAllowed || session.subscriptions.get(subscription.filter) !== subscription) continue;
    if (subscription.cursor !== null) leaving.add(subscription.cursor);
    removeSubscription(broker, subscription);
    removed.push(subscription.filter);
  }
  if (removed.length === 0) return;
  broker.logger.info('subscriptions are not allowed any more and were removed', {
    client: session.clientId,
    address: connection.transport.remoteAddress,
    filters: removed.length,
    filter: removed[0],
  });
  if (!session.stored) return;
  await keepInflight(broker.store, session, leaving);
  for (let from = 0; from < removed.length; from += sliceItems)
    await broker.store.unsubscribe(session.key, removed.slice(from, from + sliceItems));
  broker.durableFilters.markStale();
}

function mayKeep(connection: Connection, session: Session, { filter, qos }: Subscription): boolean | Promise<boolean> {
  const { authorizer } = connection.broker;
  if (authorizer === null) return true;
  const plain = parseShare(filter)?.filter ?? filter;
  return authorizer.authorize(connection.identity(session.clientId), 'subscribe', plain, qos, false);
}
