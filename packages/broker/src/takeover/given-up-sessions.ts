/**
 * Sessions that a worker gives up without writing what it knows of them: their lease has run out, or the store has gone
 * back behind it.
 */
import { ReasonCode } from '@dunlin/protocol';
import { willDelaySeconds } from '../delivery/will.ts';
import type { AppendQueue } from '../logs/append-queue.ts';
import type { DurableFilters } from '../logs/durable-filters.ts';
import type { Outlet } from '../output/outlet.ts';
import type { Clock } from '../ports/clock.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import type { DurableLog } from '../session/durable-log.ts';
import type { Session } from '../session/session.ts';
import type { LeaseState } from '../work/lease-state.ts';
import type { PendingWrites } from '../work/pending-writes.ts';
import type { StoreTrust } from '../work/store-trust.ts';

const withoutLease = [ReasonCode.serverBusy, 'the worker has lost its lease of the session'] as const;
const storeIsOlder = [ReasonCode.serverShuttingDown, 'the store of the session has gone back'] as const;

/** A connection, as far as it is to be ended for the messages that it waits for. */
export interface WaitingConnection {
  readonly outlet: Outlet;
  disconnect(reasonCode: number, reason: string): void;
}

export interface GivenUpSessionsParts {
  store: Pick<Store, 'sessions' | 'wills'>;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  lease: LeaseState;
  trust: StoreTrust;
  connections: ReadonlySet<WaitingConnection>;
  sessions: { all(): Iterable<Session>; abandon(session: Session): void };
  appends: AppendQueue;
  durableFilters: DurableFilters;
  pendingWrites: PendingWrites;
}

export class GivenUpSessions {
  private readonly parts: GivenUpSessionsParts;
  /** Sessions whose claims are still in the store, in this worker's name. */
  private waiting: { session: Session; willDelaySeconds: number }[] = [];

  constructor(parts: GivenUpSessionsParts) {
    this.parts = parts;
  }

  /** Ends durable sessions here without a call to the store. Returns how many there were. */
  giveUpDurable(why: readonly [reasonCode: number, reason: string] = withoutLease): number {
    const durable = [...this.parts.sessions.all()].filter((session) => session.isStored);
    for (const session of durable) {
      this.waiting.push({ session, willDelaySeconds: willDelaySeconds(session) });
      this.giveUp(session, why);
    }
    return durable.length;
  }

  /** Disconnects clients with pending acknowledgements: the store may have had their messages, and lost them. */
  private giveUpPublishes(): void {
    for (const connection of [...this.parts.connections])
      if ((connection.outlet.acknowledgements?.length ?? 0) > 0) connection.disconnect(...storeIsOlder);
  }

  /** Ends every session here without a call to the store. */
  giveUpAll(): void {
    for (const session of [...this.parts.sessions.all()]) this.giveUp(session, withoutLease);
  }

  private giveUp(session: Session, [reasonCode, reason]: readonly [number, string]): void {
    this.parts.sessions.abandon(session);
    session.connection.disconnect(reasonCode, reason);
  }

  /**
   * Releases sessions that nobody has taken: they end in the store as for any lost connection, unless they have moved.
   */
  release(): void {
    const { store, clock, pendingWrites } = this.parts;
    for (const { session, willDelaySeconds } of this.waiting.splice(0)) {
      const dueAt = clock.now() + willDelaySeconds * 1000;
      pendingWrites.add(events['session.release-failed'], async () => {
        await store.wills.schedule(session.key, dueAt);
        await store.sessions.release(session.key, {}, clock.now());
      });
    }
  }

  /**
   * The store has reported that it lost recent writes. Log numbers from here on are not reused: only the sessions here
   * have to start over.
   */
  storeSetBack(what: string): void {
    const { metrics, logger, durableFilters, lease, appends, trust } = this.parts;
    metrics.storeSetbacks++;
    trust.wentBack();
    const sessions = lease.isHeld ? this.giveUpDurable(storeIsOlder) : 0;
    this.giveUpPublishes();
    appends.giveUpPublishes();
    if (lease.isHeld) this.release();
    durableFilters.setBack();
    logger.error(events['store.went-back'], {
      ...{ what, sessions },
    });
  }

  /**
   * The store has less than this worker knows of: it came back from an older copy, or empty. Acknowledged messages that
   * it does not have are lost; a session that went on with its cursors would skip messages whose numbers come again. So
   * every durable session here starts over from the stored state: its client is disconnected (0x8B) and comes back.
   * Nothing is written but the release. `unharmed`: a log whose only reader here has received none of the lost
   * messages.
   */
  storeWentBack(log: DurableLog, end: number, unharmed: boolean): void {
    const { metrics, logger, durableFilters, lease } = this.parts;
    metrics.storeSetbacks++;
    const had = Math.max(log.heard, log.lastSequence);
    // Without a lease they were given up already, and are not released before it is regained.
    const sessions = unharmed || !lease.isHeld ? 0 : this.giveUpDurable(storeIsOlder);
    if (lease.isHeld) this.release();
    log.setBack(end);
    durableFilters.setBack();
    logger.error(events['store.went-back'], {
      ...{ filter: log.filter, had, has: end, sessions },
    });
  }
}
