/**
 * A stored session is put in force here, and a session is taken out of everything local: a slice a turn, so that 20,000 filters let others in between.
 */
import type { Broker } from './broker.ts';
import { inSlices } from './in-slices.ts';
import type { StoredSession, StoredSubscription } from './ports/store.ts';
import { restoreInflight } from './resends.ts';
import type { Session } from './session.ts';
import { removeSubscription, restoreSubscription } from './session-subscriptions.ts';
import { giveToOthers } from './shared-leavings.ts';
import type { Subscription } from './subscription.ts';

/**
 * Null: all of it is in force. A session that ends meanwhile is left as it is: what is not in force yet is as the store has it. Messages may come before the
 * end, and wait in the outbox behind CONNACK; logs are read when all is in force.
 */
export function putInForce(
  broker: Broker,
  session: Session,
  stored: StoredSession,
  previousOwner: string,
): Promise<boolean> | null {
  session.producerNumber = stored.producerNumber;
  // Its former owner may have died over them; where this endpoint was not there then, nobody had subscribed.
  const mayMiss = previousOwner === '' || previousOwner === broker.self || broker.cluster.hasKnown(previousOwner);
  if (stored.inbound.length > 0) session.inboundInflight.restore(stored.inbound, mayMiss && broker.backplane !== null);
  const cursors = new Map(stored.cursors.map((cursor) => [cursor.filter, cursor]));
  const put = (subscription: StoredSubscription): void =>
    restoreSubscription(broker, session, subscription, cursors.get(subscription.filter) ?? null);
  // Those with messages in flight first, in one turn: a live message must not take an identifier that is in use.
  const inFlight = new Set(stored.outbound.map((message) => message.filter));
  const others: StoredSubscription[] = [];
  for (const subscription of stored.subscriptions) {
    if (inFlight.has(subscription.filter)) put(subscription);
    else others.push(subscription);
  }
  restoreInflight(session, stored.outbound);
  return inSlices(broker.clock, others, () => session.ended, put);
}

/** The session has ended. `redispatchInflight`: what it had in flight of groups goes to other members. */
export function takeOutOfForce(broker: Broker, session: Session, redispatchInflight: boolean): void {
  const plain = leaveGroups(broker, session);
  broker.groups.sessionEnded(session);
  giveToOthers(broker, session, redispatchInflight);
  // It follows no log from now on; until its turn comes, a subscription hands its messages to a connection that is closed.
  for (const cursor of session.cursors) cursor.log.removeReader(cursor);
  void inSlices(
    broker.clock,
    plain,
    () => false,
    (subscription) => removeSubscription(broker, subscription),
  );
}

/** At once: a message of a group goes to one member, who must be there. Returns the other subscriptions. */
function leaveGroups(broker: Broker, session: Session): Subscription[] {
  const plain: Subscription[] = [];
  if (!session.hasSubscriptions) return plain;
  for (const subscription of session.subscriptions.values()) {
    if (subscription.isShared) removeSubscription(broker, subscription);
    else plain.push(subscription);
  }
  return plain;
}
