/**
 * Authorization of subscriptions: of a session that is resumed, before it is in force, and of all sessions when rules
 * change. What is not allowed is suspended (takeover/suspension.ts); MQTT has no packet that would tell the client.
 */

import { parseShare } from '@dunlin/protocol';
import { mayReadWithoutRules } from '../message/restricted-topic.ts';
import type { Authorizer } from '../ports/authorizer.ts';
import type { Clock } from '../ports/clock.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { StoredSession } from '../ports/session-store.ts';
import type { Session } from '../session/session.ts';
import type { Subscription } from '../session/subscription.ts';
import { updateInSlices } from '../session/update-in-slices.ts';
import type { SubscriptionParts } from '../takeover/session-subscriptions.ts';
import { resume, setAside, suspend } from '../takeover/suspension.ts';
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

/** A subscription, in force or suspended. */
type Asked = Pick<Subscription, 'filter' | 'qos'>;

export class SubscriptionRights {
  private readonly parts: SubscriptionRightsParts;
  /** Counts the changes of rules. */
  version = 0;

  constructor(parts: SubscriptionRightsParts) {
    this.parts = parts;
  }

  /**
   * Suspends what is not allowed of a stored session that is not in force yet, and returns the version of the rules
   * that this rests on. "Cannot tell" means no. Rejects with StoreError.
   */
  async beforeInForce(connection: Connection, session: Session, stored: StoredSession | null): Promise<number> {
    const { parts } = this;
    if (stored === null) return this.version;
    for (;;) {
      const { version } = this;
      const denied =
        parts.authorizer === null
          ? notForOthers(stored, connection.remoteAddress)
          : await this.deniedOf(connection, session, stored.subscriptions);
      if (version !== this.version) continue;
      if (denied.length === 0) return version;
      this.tell(connection, session, denied);
      const change = setAside(session, stored, new Set(denied));
      if (change !== null) await updateInSlices(parts.subscriptions.store.sessions, session.key, change);
      return version;
    }
  }

  /**
   * The rules have changed: answers that come at once take effect at once, so that no message passes in between. Those
   * that take longer follow (`check`).
   */
  checkNow(connection: Connection, session: Session): void {
    if (!session.hasSubscriptions) return;
    const denied: string[] = [];
    for (const subscription of [...session.subscriptions.values()]) {
      const answer = this.mayHave(connection, session, subscription);
      if (answer !== false) continue;
      suspend(this.parts.subscriptions, subscription);
      denied.push(subscription.filter);
    }
    this.tell(connection, session, denied);
  }

  /** Suspends what is not allowed, and resumes what is allowed again. Resolves when that is done. */
  check(connection: Connection, session: Session): Promise<void> {
    return this.parts.queue.inTurn(connection, () => this.checkInTurn(connection, session));
  }

  private async checkInTurn(connection: Connection, session: Session): Promise<void> {
    if (session.hasEnded) return;
    const { subscriptions: parts } = this.parts;
    const asked: Asked[] = [...session.subscriptions.values()];
    for (const found of session.suspended?.byFilter.values() ?? [])
      asked.push(found.kind === 'stored' ? found.stored : found.subscription);
    const denied = new Set(await this.deniedOf(connection, session, asked));
    if (session.hasEnded) return;
    const suspended: string[] = [];
    for (const { filter } of asked) {
      if (!denied.has(filter)) {
        resume(parts, session, filter);
        continue;
      }
      const subscription = session.subscriptions.get(filter);
      if (subscription === undefined) continue;
      suspend(parts, subscription);
      suspended.push(filter);
    }
    this.tell(connection, session, suspended);
  }

  /** Filters that the client may not have; the answers of a turn of the event loop are bounded in number. */
  private async deniedOf(connection: Connection, session: Session, asked: readonly Asked[]): Promise<string[]> {
    const denied: string[] = [];
    let left = sliceItems;
    for (const one of asked) {
      if (left-- === 0) {
        await nextTurn(this.parts.clock);
        left = sliceItems - 1;
      }
      const answer = this.mayHave(connection, session, one);
      const isAllowed = typeof answer === 'boolean' ? answer : await answer.catch(() => false);
      if (!isAllowed) denied.push(one.filter);
    }
    return denied;
  }

  private tell(connection: Connection, session: Session, denied: readonly string[]): void {
    if (denied.length === 0) return;
    this.parts.logger.info(events['subscription.suspended'], {
      client: session.clientId,
      address: connection.transport.remoteAddress,
      filters: denied.length,
      filter: denied[0],
    });
  }

  private mayHave(connection: Connection, session: Session, { filter, qos }: Asked): boolean | Promise<boolean> {
    const { authorizer } = this.parts;
    if (authorizer === null) return mayReadWithoutRules(filter, connection.remoteAddress);
    const share = parseShare(filter);
    const client = connection.signIn.identity(session.clientId);
    return authorizer.authorize(client, 'subscribe', share?.filter ?? filter, qos, false, share?.shareName);
  }
}

/** Filters of a session that is resumed from another machine, where there are no rules. */
function notForOthers({ subscriptions }: StoredSession, remoteAddress: string): string[] {
  return subscriptions.map(({ filter }) => filter).filter((filter) => !mayReadWithoutRules(filter, remoteAddress));
}
