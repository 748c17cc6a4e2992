/**
 * Authorization of subscriptions that are in force already: of a session that is resumed, and of all sessions when
 * rules change.
 */

import { parseShare } from '@dunlin/protocol';
import type { Authorizer } from '../ports/authorizer.ts';
import type { Clock } from '../ports/clock.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { LogCursor } from '../session/log-cursor.ts';
import type { Session } from '../session/session.ts';
import { keepInflight } from '../session/stored-inflight.ts';
import type { Subscription } from '../session/subscription.ts';
import type { SubscriptionParts } from '../takeover/session-subscriptions.ts';
import { removeSubscription } from '../takeover/session-subscriptions.ts';
import { nextTurn, sliceItems } from '../work/in-slices.ts';
import type { Connection } from './connection.ts';
import type { SubscribeQueue } from './subscribe-queue.ts';

export interface SubscriptionRightsParts {
  clock: Clock;
  logger: Logger;
  authorizer: Authorizer | null;
  subscriptions: SubscriptionParts;
  queue: SubscribeQueue;
}

export class SubscriptionRights {
  private readonly parts: SubscriptionRightsParts;

  constructor(parts: SubscriptionRightsParts) {
    this.parts = parts;
  }

  /**
   * Removes subscriptions that are not allowed any more; MQTT has no packet that would tell the client. Messages in
   * flight are completed. Resolves when it is stored; "cannot tell" means no.
   */
  checkSubscriptions(connection: Connection, session: Session): Promise<void> {
    return this.parts.queue.inTurn(connection, () => this.removeForbidden(connection, session));
  }

  private async removeForbidden(connection: Connection, session: Session): Promise<void> {
    const { parts } = this;
    const removed: string[] = [];
    let left = sliceItems;
    const leaving = new Set<LogCursor>();
    for (const subscription of [...session.subscriptions.values()]) {
      if (left-- === 0) {
        await nextTurn(parts.clock);
        left = sliceItems - 1;
      }
      const answer = this.mayKeep(connection, session, subscription);
      const isAllowed = typeof answer === 'boolean' ? answer : await answer.catch(() => false);
      if (session.hasEnded) return;
      if (isAllowed || session.subscriptions.get(subscription.filter) !== subscription) continue;
      if (subscription.cursor !== null) leaving.add(subscription.cursor);
      removeSubscription(parts.subscriptions, subscription);
      removed.push(subscription.filter);
    }
    if (removed.length === 0) return;
    parts.logger.info(events['subscription.removed'], {
      client: session.clientId,
      address: connection.transport.remoteAddress,
      filters: removed.length,
      filter: removed[0],
    });
    if (!session.isStored) return;
    await keepInflight(parts.subscriptions.store, session, leaving);
    for (let from = 0; from < removed.length; from += sliceItems)
      await parts.subscriptions.store.sessions.unsubscribe(session.key, removed.slice(from, from + sliceItems));
    parts.subscriptions.durableFilters.markStale();
  }

  private mayKeep(connection: Connection, session: Session, { filter, qos }: Subscription): boolean | Promise<boolean> {
    const { authorizer } = this.parts;
    if (authorizer === null) return true;
    const plain = parseShare(filter)?.filter ?? filter;
    return authorizer.authorize(connection.signIn.identity(session.clientId), 'subscribe', plain, qos, false);
  }
}
