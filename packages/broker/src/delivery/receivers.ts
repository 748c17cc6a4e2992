/** Which subscription receives a publication, and as which bytes: one rule each, for the loops of deliver.ts and publish-batch.ts. */
import type { Session } from '../session/session.ts';
import type { Subscription } from '../session/subscription.ts';

/** Not what its own client published, if it said so (No Local [MQTT-3.8.3-3]). `publisher`: null where it is no client of this worker. */
export function mayReceive(subscription: Subscription, publisher: Session | null): boolean {
  return !subscription.noLocal || subscription.session !== publisher;
}

/** The same for a message of a log, whose publisher may have another connection by now, or none. */
export function mayReceiveLogged(subscription: Subscription, publisherId: string): boolean {
  return !subscription.noLocal || subscription.session.clientId !== publisherId;
}

/** It receives the bytes that all of its protocol version do: no subscription identifiers, aliases, or maximum packet size of its own. */
export function receivesCommonBytes(subscription: Subscription): boolean {
  return subscription.identifiers === null && !subscription.outlet.individual;
}
