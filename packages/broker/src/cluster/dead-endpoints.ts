/**
 * Dead endpoints (ARCHITECTURE.md, sections 5 and 9; P8): their claims become void and their wills due. One endpoint
 * does it for all.
 *
 * An endpoint that has left may still live, cut off from the others and not from the store. What it owns is released
 * only when its lease has run out and it was evicted, after which it cannot renew the lease. Owners in the store that
 * are no members are treated alike: they died while no other endpoint ran.
 */
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import type { Leases } from '../ports/leases.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { SessionStore } from '../ports/session-store.ts';

/**
 * Owners are read from the store when this endpoint begins to lead, and after each interval: the cost grows with what
 * is owned.
 */
const lookEverySeconds = 60;

export interface DeadEndpointsParts {
  leases: Leases | null;
  sessionStore: SessionStore;
  clock: Clock;
  logger: Logger;
  self: EndpointId;
  isMember: (endpoint: EndpointId) => boolean;
}

export class DeadEndpoints {
  private readonly parts: DeadEndpointsParts;
  /** Endpoints that have left, or are unknown, and were not evicted yet. At most as many as the store has owners. */
  private readonly missing = new Set<EndpointId>();
  private wasLeader = false;
  private seconds = 0;

  constructor(parts: DeadEndpointsParts) {
    this.parts = parts;
  }

  endpointLeft(endpoint: EndpointId): void {
    if (this.parts.leases !== null) this.missing.add(endpoint);
  }

  /** Called by the worker's timer, never twice at once. Rejects with StoreError. */
  async everySecond(isLeader: boolean): Promise<void> {
    const { leases } = this.parts;
    if (leases === null) return; // the node that started the endpoints knows which have ended
    if (!isLeader) {
      this.wasLeader = false;
      this.missing.clear(); // the leader has seen it too; the next leader reads all owners first
      return;
    }
    if (!this.wasLeader || this.seconds % lookEverySeconds === 0) await this.look();
    this.wasLeader = true;
    this.seconds++;
    for (const endpoint of [...this.missing]) await this.evict(leases, endpoint);
  }

  private async look(): Promise<void> {
    const { sessionStore, self } = this.parts;
    for (const owner of await sessionStore.owners()) if (owner !== self) this.missing.add(owner);
  }

  private async evict(leases: Leases, endpoint: EndpointId): Promise<void> {
    const { sessionStore, clock, logger, isMember } = this.parts;
    if (isMember(endpoint)) {
      this.missing.delete(endpoint);
      return;
    }
    if (!(await leases.evict(endpoint, false))) return; // its lease is valid: asked again
    await sessionStore.releaseOwner(endpoint, clock.now());
    this.missing.delete(endpoint);
    logger.info(events['endpoint.released'], { endpoint });
  }
}
