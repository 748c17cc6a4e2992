/** Rules about the receivers of a publication, shared by the loops of deliver.ts and publish-batch.ts. */
import type { Session } from '../session/session.ts';
import type { Subscription } from '../session/subscription.ts';

/**
 * False for the publisher's own message under No Local [MQTT-3.8.3-3]. `publisher`: null where it is no client of this
 * worker.
 */
export function mayReceive(subscription: Subscription, publisher: Session | null): boolean {
  return !subscription.noLocal || subscription.session !== publisher;
}

/** The same rule for a message of a log, whose publisher may have another connection by now, or none. */
export function mayReceiveLogged(subscription: Subscription, publisherId: string): boolean {
  return !subscription.noLocal || subscription.session.clientId !== publisherId;
}

/**
 * True if the client gets the same bytes as others of its protocol version: no subscription identifiers, aliases, or
 * maximum packet size.
 */
export function receivesCommonBytes(subscription: Subscription): boolean {
  return subscription.identifiers === null && !subscription.outlet.isIndividual;
}
