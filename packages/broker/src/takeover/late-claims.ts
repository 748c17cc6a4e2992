/**
 * Sessions that were opened while the store could not be reached: ephemeral ones, which need no stored state
 * (ARCHITECTURE.md, section 7). Their client identifiers are claimed when the store is back, so that a later CONNECT
 * finds their owner.
 */
import { ReasonCode } from '@dunlin/protocol';
import type { Cluster } from '../cluster/cluster.ts';
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Claim } from '../ports/session-store.ts';
import type { Store } from '../ports/store.ts';
import { StoreError } from '../ports/store-error.ts';
import type { Session } from '../session/session.ts';
import type { PendingWrites } from '../work/pending-writes.ts';

const retryMilliseconds = 1000;
/** Claims of one round: a store that has just come back must not be flooded. */
const batchMax = 500;

export interface LateClaimsParts {
  self: EndpointId;
  store: Pick<Store, 'sessions' | 'wills'>;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  cluster: Pick<Cluster, 'requestSession'>;
  isOwnersOnly: boolean;
  pendingWrites: PendingWrites;
}

export class LateClaims {
  private readonly parts: LateClaimsParts;
  private readonly sessions = new Set<Session>();
  private isBusy = false;

  constructor(parts: LateClaimsParts) {
    this.parts = parts;
    parts.clock.every(retryMilliseconds, () => this.retry());
  }

  add(session: Session): void {
    this.sessions.add(session);
  }

  /** Ends a session. Returns whether the store has a claim of it. */
  forget(session: Session): boolean {
    return !this.sessions.delete(session);
  }

  private retry(): void {
    if (this.isBusy || this.sessions.size === 0) return;
    this.isBusy = true;
    const batch: Session[] = [];
    for (const session of this.sessions) {
      if (batch.length >= batchMax) break;
      batch.push(session);
    }
    void Promise.allSettled(batch.map((session) => this.claim(session))).then((results) => {
      this.isBusy = false;
      for (const result of results) if (result.status === 'rejected') this.failed(result.reason);
    });
  }

  private failed(error: unknown): void {
    this.parts.metrics.storeErrors++;
    // Logged by the calls that wait for the store.
    if (error instanceof StoreError && error.code === 'unavailable') return;
    this.parts.logger.warn(events['session.claim-failed'], { error });
  }

  private async claim(session: Session): Promise<void> {
    const { store, clock, self, cluster, pendingWrites, isOwnersOnly } = this.parts;
    const { clientId, user } = session;
    const request = { clientId, owner: self, cleanStart: true, sessionExpirySeconds: 0, user, isOwnersOnly };
    let claim: Claim;
    try {
      claim = await store.sessions.claim(request, clock.now());
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'other-user') throw error;
      // It was let in while nobody could tell.
      if (!session.hasEnded) session.connection.disconnect(ReasonCode.notAuthorized, error.message);
      return;
    }
    const key = { clientId, epoch: claim.epoch };
    if (session.hasEnded) {
      pendingWrites.add(events['session.release-failed'], () =>
        store.sessions.release(key, { sessionExpirySeconds: 0 }, clock.now()),
      );
      return;
    }
    session.key.epoch = claim.epoch;
    this.sessions.delete(session);
    const { previousOwner } = claim;
    if (previousOwner !== '' && previousOwner !== self)
      await cluster.requestSession(previousOwner, clientId, true, claim.epoch);
    if (session.will !== null && !session.hasEnded) await store.wills.set(key, self, session.will);
  }
}
