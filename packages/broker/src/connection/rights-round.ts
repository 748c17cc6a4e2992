/**
 * New rules, compared with the sessions in force: so many in a turn of the event loop that others are served in between.
 * One whose turn has not come is compared before anything more is sent to it, so that no message passes in between.
 */
import type { RulesVersion } from '../guards/rules-version.ts';
import type { Clock } from '../ports/clock.ts';
import type { Session } from '../session/session.ts';
import { sliceItems } from '../work/in-slices.ts';
import type { Connection } from './connection.ts';
import type { SubscriptionRights } from './subscription-rights.ts';

/** Time after which a turn ends. */
const turnMilliseconds = 5;
/** Sessions whose answers take longer, or need more turns, at the same time. */
const underWayMax = 10;

export interface RightsRoundParts {
  clock: Clock;
  rules: RulesVersion;
  rights: SubscriptionRights;
  /** `roomCame`: the session has room again for what waited until it was compared. */
  delivery: { roomCame(session: Session): void };
}

export class RightsRound {
  private readonly parts: RightsRoundParts;
  private left: Connection[] = [];
  /** Connections among them that were compared before their turn, as far as answers came at once. */
  private readonly unfinished = new Set<Connection>();
  private underWay = 0;
  private isScheduled = false;

  constructor(parts: RightsRoundParts) {
    this.parts = parts;
  }

  /** Begins anew, also where a round is under way: its rules are older. */
  begin(connections: Iterable<Connection>): void {
    this.parts.rules.now++;
    this.parts.rules.isUnderWay = true;
    this.left = [...connections];
    this.unfinished.clear();
    this.walk();
  }

  /** Compares a session, all of it, before something is sent to it. */
  compareNow(connection: Connection): void {
    const { session } = connection;
    if (session === null || session.hasEnded || session.isCompared) return;
    if (!this.parts.rights.checkNow(connection, session)) this.unfinished.add(connection);
    this.parts.clock.nextTurn(() => this.wasCompared(session));
  }

  private walk(): void {
    const { clock, rules } = this.parts;
    const end = clock.now() + turnMilliseconds;
    while (this.underWay < underWayMax) {
      const connection = this.left.pop();
      if (connection === undefined) {
        if (this.underWay === 0) rules.isUnderWay = false;
        return;
      }
      this.look(connection);
      if (clock.now() >= end) break;
    }
    // Otherwise one of those that are under way goes on.
    if (this.underWay < underWayMax) this.schedule();
  }

  private look(connection: Connection): void {
    const { session } = connection;
    const { rights } = this.parts;
    const isUnfinished = this.unfinished.delete(connection);
    if (session === null || session.hasEnded || (session.isCompared && !isUnfinished)) return;
    const isAtOnce = !session.hasSubscriptions || session.subscriptions.size <= sliceItems;
    if (isAtOnce && !isUnfinished && rights.checkNow(connection, session)) {
      this.wasCompared(session);
      return;
    }
    this.underWay++;
    void rights.check(connection, session).finally(() => {
      this.underWay--;
      this.wasCompared(session);
      this.schedule();
    });
  }

  private wasCompared(session: Session): void {
    if (!session.hasEnded && (session.behind !== null || session.groupMembers !== null))
      this.parts.delivery.roomCame(session);
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.parts.clock.nextTurn(() => {
      this.isScheduled = false;
      this.walk();
    });
  }
}
