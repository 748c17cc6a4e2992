/** Subscription of one client to one filter, as the match returns it. */
import { isShared } from '@dunlin/protocol';
import type { Outlet } from '../output/outlet.ts';
import type { LogCursor } from './log-cursor.ts';
import type { Session } from './session.ts';

/** A subscription as its client asked for it. */
export interface NewSubscription {
  session: Session;
  /** Filter as the client wrote it, `$share/…` included. */
  filter: string;
  qos: 0 | 1 | 2;
  noLocal: boolean;
  retainAsPublished: boolean;
  /** Null: none. */
  identifiers: number[] | null;
}

export class Subscription {
  readonly session: Session;
  /** Outlet of the session, held directly: one object less to fetch from memory for each delivery. */
  readonly outlet: Outlet;
  /** The filter as the client wrote it, `$share/…` included. */
  readonly filter: string;
  /** Member of a group, `$share/…`: its unacknowledged messages go to another member. */
  readonly isShared: boolean;
  qos: 0 | 1 | 2;
  /**
   * QoS of a group's member for messages of the group's log up to `owedUpTo`. Above `qos` where the subscription was
   * replaced by one of QoS 0 [MQTT-3.8.4-4].
   */
  owedQos: 0 | 1 | 2;
  owedUpTo = Number.POSITIVE_INFINITY;
  noLocal: boolean;
  retainAsPublished: boolean;
  /**
   * Subscription identifiers; null: none. Several when overlapping subscriptions of one session were merged for a
   * topic.
   */
  identifiers: number[] | null;
  /** Set when messages of QoS above 0 come through the log of a durable filter. */
  cursor: LogCursor | null = null;
  /** Position in its list, for removal in constant time. */
  index = -1;

  constructor({ session, filter, qos, noLocal, retainAsPublished, identifiers }: NewSubscription) {
    this.session = session;
    this.outlet = session.outlet;
    this.filter = filter;
    this.isShared = isShared(filter);
    this.qos = qos;
    this.owedQos = qos;
    this.noLocal = noLocal;
    this.retainAsPublished = retainAsPublished;
    this.identifiers = identifiers;
  }
}

/**
 * Overlapping subscriptions of one session become one delivery at the highest QoS with all identifiers
 * [MQTT-3.3.5-1], [MQTT-3.3.4-3..5]. No Local holds only if all of them ask for it.
 */
export function mergeSubscriptions(a: Subscription, b: Subscription): Subscription {
  const identifiers =
    a.identifiers === null
      ? b.identifiers
      : b.identifiers === null
        ? a.identifiers
        : [...a.identifiers, ...b.identifiers];
  const qos = Math.max(a.qos, b.qos) as 0 | 1 | 2;
  return new Subscription({
    ...{ session: a.session, filter: a.filter, qos, identifiers },
    noLocal: a.noLocal && b.noLocal,
    retainAsPublished: a.retainAsPublished || b.retainAsPublished,
  });
}
