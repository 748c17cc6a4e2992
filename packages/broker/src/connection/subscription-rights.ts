/**
 * Authorization of subscriptions: of a session that is resumed, before it is in force, and of all sessions when rules
 * change. What is not allowed is suspended (takeover/suspension.ts); MQTT has no packet that would tell the client.
 */

import { parseShare } from '@dunlin/protocol';
import type { RulesVersion } from '../guards/rules-version.ts';
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
import { RightsRound } from './rights-round.ts';
import type { SubscribeQueue } from './subscribe-queue.ts';

export interface SubscriptionRightsParts {
  clock: Clock;
  logger: Logger;
  authorizer: Authorizer | null;
  subscriptions: SubscriptionParts;
  queue: SubscribeQueue;
  rules: RulesVersion;
  /** `roomCame`: a session that waited to be compared with new rules has room again. */
  delivery: { roomCame(session: Session): void };
}

/** A subscription, in force or suspended. */
type Asked = Pick<Subscription, 'filter' | 'qos'>;

export class SubscriptionRights {
  private readonly parts: SubscriptionRightsParts;
  /** Comparison of all sessions with new rules. */
  readonly round: RightsRound;

  constructor(parts: SubscriptionRightsParts) {
    this.parts = parts;
    this.round = new RightsRound({ ...parts, rights: this });
  }

  /**
   * Suspends what is not allowed of a stored session that is not in force yet. "Cannot tell" means no. Rejects with
   * StoreError.
   */
  async beforeInForce(connection: Connection, session: Session, stored: StoredSession | null): Promise<void> {
    const { parts } = this;
    session.rulesVersion = this.version;
    if (stored === null) return;
    for (;;) {
      const { version } = this;
      const denied =
        parts.authorizer === null
          ? notForOthers(stored, connection.remoteAddress)
          : await this.deniedOf(connection, session, stored.subscriptions);
      session.rulesVersion = version;
      if (version !== this.version) continue;
      if (denied.length === 0) return;
      this.tell(connection, session, denied);
      const change = setAside(session, stored, new Set(denied));
      if (change !== null) await updateInSlices(parts.subscriptions.store.sessions, session.key, change);
      return;
    }
  }

  /** Counts the changes of rules. */
  get version(): number {
    return this.parts.rules.now;
  }

  /**
   * The rules have changed: answers that come at once take effect at once, so that no message passes in between. False
   * where more is to be done (`check`): some answer takes longer, subscriptions may be allowed again or are being made.
   */
  checkNow(connection: Connection, session: Session): boolean {
    let isAll = connection.subscribing === null && (session.suspended?.byFilter.size ?? 0) === 0;
    session.rulesVersion = this.version;
    if (!session.hasSubscriptions) return isAll;
    const denied: Subscription[] = [];
    for (const subscription of session.subscriptions.values()) {
      const answer = this.mayHave(connection, session, subscription);
      if (answer === false) denied.push(subscription);
      else if (answer !== true) {
        answer.catch(() => false); // it is asked again
        isAll = false;
      }
    }
    this.suspend(connection, session, denied);
    return isAll;
  }

  /** Suspends what is not allowed, and resumes what is allowed again. Resolves when that is done. */
  check(connection: Connection, session: Session): Promise<void> {
    return this.parts.queue.inTurn(connection, async () => {
      while (!session.hasEnded && !(await this.checkInTurn(connection, session)));
    });
  }

  /** False: the session has ended, or the rules have changed again, before all was done. */
  private async checkInTurn(connection: Connection, session: Session): Promise<boolean> {
    const { subscriptions: parts, clock } = this.parts;
    const { version } = this;
    const asked: Asked[] = [...session.subscriptions.values()];
    for (const found of session.suspended?.byFilter.values() ?? [])
      asked.push(found.kind === 'stored' ? found.stored : found.subscription);
    const denied = new Set(await this.deniedOf(connection, session, asked));
    for (let at = 0; at < asked.length; at += sliceItems) {
      if (at > 0) await nextTurn(clock);
      if (session.hasEnded || version !== this.version) return false;
      const suspended: Subscription[] = [];
      for (const { filter } of asked.slice(at, at + sliceItems)) {
        const subscription = session.subscriptions.get(filter);
        if (!denied.has(filter)) resume(parts, session, filter);
        else if (subscription !== undefined) suspended.push(subscription);
      }
      this.suspend(connection, session, suspended);
    }
    session.rulesVersion = version;
    return true;
  }

  private suspend(connection: Connection, session: Session, denied: readonly Subscription[]): void {
    suspend(this.parts.subscriptions, session, denied);
    this.tell(
      connection,
      session,
      denied.map(({ filter }) => filter),
    );
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

  /** True if the rules allow this subscription now. */
  mayHave(connection: Connection, session: Session, { filter, qos }: Asked): boolean | Promise<boolean> {
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
