/**
 * Giving up what the dead owned (ARCHITECTURE.md, sections 5 and 9; P8): their claims become void and their wills due. Done by one endpoint for all.
 *
 * That an endpoint has left says only that nobody hears of it. It may live, cut off from the others and not from the store: what it owns is released when
 * its lease has run out and it was buried, after which it cannot have it back. Owners found in the store that are no members are treated alike: those who died
 * while nobody was there to see it.
 */
import type { Clock } from '../ports/clock.ts';
import type { Leases } from '../ports/leases.ts';
import type { Logger } from '../ports/logger.ts';
import type { EndpointId, Store } from '../ports/store.ts';

/** Owners are looked for in the store when this endpoint begins to lead, and every so many seconds: it costs what is owned. */
const lookEverySeconds = 60;

export interface BurialParts {
  leases: Leases | null;
  store: Store;
  clock: Clock;
  logger: Logger;
  self: EndpointId;
  isMember: (endpoint: EndpointId) => boolean;
}

export class Burials {
  private readonly parts: BurialParts;
  /** Those that are gone or unknown and were not buried yet. At most as many as endpoints there ever were in the store. */
  private readonly missing = new Set<EndpointId>();
  private wasLeader = false;
  private seconds = 0;

  constructor(parts: BurialParts) {
    this.parts = parts;
  }

  endpointLeft(endpoint: EndpointId): void {
    if (this.parts.leases !== null) this.missing.add(endpoint);
  }

  /** Called by the worker's timer, never twice at once. Rejects with StoreError. */
  async everySecond(isLeader: boolean): Promise<void> {
    const { leases } = this.parts;
    if (leases === null) return; // whoever started the endpoints knows which have ended
    if (!isLeader) {
      this.wasLeader = false;
      this.missing.clear(); // the leader has seen it too; who leads next looks for owners first
      return;
    }
    if (!this.wasLeader || this.seconds % lookEverySeconds === 0) await this.look();
    this.wasLeader = true;
    this.seconds++;
    for (const endpoint of [...this.missing]) await this.bury(leases, endpoint);
  }

  private async look(): Promise<void> {
    const { store, self } = this.parts;
    for (const owner of await store.owners()) if (owner !== self) this.missing.add(owner);
  }

  private async bury(leases: Leases, endpoint: EndpointId): Promise<void> {
    const { store, clock, logger, isMember } = this.parts;
    if (isMember(endpoint)) {
      this.missing.delete(endpoint);
      return;
    }
    if (!(await leases.bury(endpoint, false))) return; // its lease is valid: asked again
    await store.releaseOwner(endpoint, clock.now());
    this.missing.delete(endpoint);
    logger.info('what a dead worker owned was released', { endpoint });
  }
}
