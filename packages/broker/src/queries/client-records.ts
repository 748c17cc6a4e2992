/** Records about connected clients, made when somebody asks. */
import type { Connection } from '../connection/connection.ts';
import type { ClientDetail, ClientRecord, SubscriptionRecord } from '../ports/client-record.ts';
import { messagesBetween } from '../ports/log-numbers.ts';
import type { Session } from '../session/session.ts';
import type { Subscription } from '../session/subscription.ts';

const versionNames: Readonly<Record<number, string>> = { 3: '3.1', 4: '3.1.1', 5: '5.0' };
/** Subscriptions of one answer. */
const subscriptionsMax = 1000;

/** Connection of a session here: each has one. */
export function connectionOf(session: Session): Connection {
  return session.connection as Connection;
}

export function clientRecord(session: Session): ClientRecord {
  const connection = connectionOf(session);
  return {
    clientId: session.clientId,
    userName: connection.signIn.userName,
    address: connection.remoteAddress,
    listener: connection.transport.listener,
    version: versionNames[connection.version] ?? String(connection.version),
    connectedAt: connection.connectedAt,
    keepAliveSeconds: connection.keepAliveSeconds,
    sessionExpirySeconds: session.expirySeconds,
    subscriptions: session.hasSubscriptions ? session.subscriptions.size : 0,
    inFlight: session.outbound?.count ?? 0,
    waiting: session.waiting?.length ?? 0,
    outputBytes: session.outlet.output.pendingBytes,
  };
}

export function clientDetail(session: Session): ClientDetail {
  const connection = connectionOf(session);
  const subscriptionList: SubscriptionRecord[] = [];
  if (session.hasSubscriptions) {
    for (const subscription of session.subscriptions.values()) {
      if (subscriptionList.length === subscriptionsMax) break;
      subscriptionList.push(subscriptionRecord(subscription));
    }
  }
  return {
    ...clientRecord(session),
    isBridge: connection.isBridge,
    inFlightInbound: session.inbound?.count ?? 0,
    receiveMaximum: session.outbound?.max ?? null,
    hasWill: session.will !== null,
    subscriptionList,
  };
}

function subscriptionRecord(subscription: Subscription): SubscriptionRecord {
  const { filter, qos, noLocal, retainAsPublished, identifiers, cursor } = subscription;
  return {
    ...{ filter, qos, noLocal, retainAsPublished, identifiers: identifiers ?? [] },
    logged: cursor === null ? null : Math.max(0, messagesBetween(cursor.acknowledged, cursor.log.lastSequence)),
  };
}
