/** Rules about the receivers of a publication, shared by the loops of deliver.ts and publish-batch.ts. */
import type { Subscription } from '../session/subscription.ts';

/**
 * False for the publisher's own message under No Local [MQTT-3.8.3-3], whichever connection and endpoint it comes by.
 * `publisherId`: its client identifier; empty: not a client.
 */
export function mayReceive(subscription: Subscription, publisherId: string): boolean {
  return !subscription.noLocal || subscription.session.clientId !== publisherId;
}

/**
 * True if the client gets the same bytes as others of its protocol version: no subscription identifiers, aliases, or
 * maximum packet size.
 */
export function receivesCommonBytes(subscription: Subscription): boolean {
  return subscription.identifiers === null && !subscription.outlet.isIndividual;
}
