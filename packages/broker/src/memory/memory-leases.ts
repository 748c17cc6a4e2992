import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import type { Leases } from '../ports/leases.ts';

/**
 * Leases for tests and for a cluster in one process: endpoints that share this object see each other's leases. Time is
 * that of the clock.
 */
export class MemoryLeases implements Leases {
  private readonly clock: Clock;
  /** Time at which each lease runs out. */
  private readonly until = new Map<EndpointId, number>();
  private readonly evicted = new Set<EndpointId>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  async renew(owner: EndpointId, milliseconds: number): Promise<boolean> {
    if (this.evicted.has(owner)) return false;
    this.until.set(owner, this.clock.now() + milliseconds);
    return true;
  }

  async evict(owner: EndpointId, evenIfAlive: boolean): Promise<boolean> {
    const isAlive = (this.until.get(owner) ?? 0) > this.clock.now();
    if (isAlive && !evenIfAlive) return false;
    this.until.delete(owner);
    this.evicted.add(owner);
    return true;
  }

  async end(owner: EndpointId): Promise<void> {
    this.until.delete(owner);
  }
}
