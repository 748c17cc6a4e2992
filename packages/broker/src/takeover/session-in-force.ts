/**
 * Steps that put a stored session in force here, and take a session out of everything local: a slice a turn, so that
 * with 20,000 filters others are served in between.
 */
import type { Cluster } from '../cluster/cluster.ts';
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import type { Cursor, StoredSession, StoredSubscription } from '../ports/session-store.ts';
import type { Session } from '../session/session.ts';
import { restoreInflight } from '../session/stored-inflight.ts';
import { inSlices } from '../work/in-slices.ts';
import { removeSubscription, restoreSubscription, type SubscriptionParts } from './session-subscriptions.ts';
import { giveToOthers, type LeavingParts } from './shared-leavings.ts';
import { forgetSuspended } from './suspension.ts';

/** Cursors added to their logs in one turn: about 1 µs each. */
const knownPerTurn = 2500;

export interface InForceParts extends SubscriptionParts, LeavingParts {
  self: EndpointId;
  /** True when there may be other endpoints. */
  isClustered: boolean;
  clock: Clock;
  cluster: Pick<Cluster, 'hasKnown'>;
}

/**
 * Puts a session in force. Null: done at once. A session that ends meanwhile is left as it is: the rest is as the store
 * has it. Messages may arrive before the end, and wait in the output buffer behind CONNACK; logs are read when all is
 * in force.
 */
export function putInForce(
  parts: InForceParts,
  session: Session,
  stored: StoredSession,
  previousOwner: string,
): Promise<boolean> | null {
  session.producerNumber = stored.producerNumber;
  // Its former owner may have died before that; if this endpoint was not running then, nobody had subscribed here.
  const mayMiss = previousOwner === '' || previousOwner === parts.self || parts.cluster.hasKnown(previousOwner);
  if (stored.inbound.length > 0) session.inboundInflight.restore(stored.inbound, mayMiss && parts.isClustered);
  // Subscriptions with messages in flight first, in one turn: a live message must not take an identifier that is in
  // use.
  const others = stored.outbound.length === 0 ? stored.subscriptions : putInFlight(parts, session, stored);
  const cursors = new Map<string, Cursor>();
  const isOver = (): boolean => session.hasEnded;
  const known = inSlices(
    parts.clock,
    stored.cursors,
    isOver,
    (cursor) => cursors.set(cursor.filter, cursor),
    knownPerTurn,
  );
  const put = (subscription: StoredSubscription): void =>
    restoreSubscription(parts, session, subscription, cursors.get(subscription.filter) ?? null);
  if (known === null) return inSlices(parts.clock, others, isOver, put);
  return known.then((isWhole) => isWhole && (inSlices(parts.clock, others, isOver, put) ?? true));
}

/** Returns the subscriptions that have nothing in flight. */
function putInFlight(parts: InForceParts, session: Session, stored: StoredSession): StoredSubscription[] {
  const inFlight = new Set(stored.outbound.map((message) => message.filter));
  const cursors = new Map<string, Cursor>();
  for (const cursor of stored.cursors) if (inFlight.has(cursor.filter)) cursors.set(cursor.filter, cursor);
  const others: StoredSubscription[] = [];
  for (const subscription of stored.subscriptions) {
    const { filter } = subscription;
    if (inFlight.has(filter)) restoreSubscription(parts, session, subscription, cursors.get(filter) ?? null);
    else others.push(subscription);
  }
  restoreInflight(session, stored.outbound);
  return others;
}

/**
 * Takes a session that has ended out of force. `redispatchInflight`: its messages in flight of groups go to other
 * members. Nothing reaches it from now on: until its turn comes, a subscription sends to a closed connection, a cursor
 * takes no message, and a group chooses another member.
 */
export function takeOutOfForce(parts: InForceParts, session: Session, redispatchInflight: boolean): void {
  parts.groups.sessionEnded(session);
  giveToOthers(parts, session, redispatchInflight);
  forgetSuspended(parts, session);
  if (!session.hasSubscriptions) return;
  void inSlices(
    parts.clock,
    [...session.subscriptions.values()],
    () => false,
    (subscription) => removeSubscription(parts, subscription),
  );
}
