import { type EndpointId, type Leases, StoreError } from '@dunlin/broker';
import { MemoryLeases } from '@dunlin/broker/testing';
import { realClock } from './real-clock.ts';

/** Leases for all endpoints of a test; each sees them through a view of its own, which can be cut off. */
export class SharedLeases implements Leases {
  readonly #leases = new MemoryLeases(realClock);
  /** Endpoints that renewed their lease and did not end it. */
  readonly held = new Set<EndpointId>();
  readonly evicted = new Set<EndpointId>();

  async renew(owner: EndpointId, milliseconds: number): Promise<boolean> {
    const lives = await this.#leases.renew(owner, milliseconds);
    if (lives) this.held.add(owner);
    return lives;
  }

  async evict(owner: EndpointId, evenIfAlive: boolean): Promise<boolean> {
    const isDead = await this.#leases.evict(owner, evenIfAlive);
    if (isDead) this.evicted.add(owner);
    return isDead;
  }

  async end(owner: EndpointId): Promise<void> {
    await this.#leases.end(owner);
    this.held.delete(owner);
  }

  view(): LeasesView {
    return new LeasesView(this);
  }
}

/** The way of one endpoint to the leases. */
export class LeasesView implements Leases {
  readonly #shared: SharedLeases;
  /** `rejects`: the store cannot be reached. `hangs`: it does not answer. */
  state: 'works' | 'rejects' | 'hangs' = 'works';
  renewals = 0;

  constructor(shared: SharedLeases) {
    this.#shared = shared;
  }

  renew(owner: EndpointId, milliseconds: number): Promise<boolean> {
    this.renewals++;
    return this.#answer(() => this.#shared.renew(owner, milliseconds));
  }

  evict(owner: EndpointId, evenIfAlive: boolean): Promise<boolean> {
    return this.#answer(() => this.#shared.evict(owner, evenIfAlive));
  }

  end(owner: EndpointId): Promise<void> {
    return this.#answer(() => this.#shared.end(owner));
  }

  async #answer<T>(ask: () => Promise<T>): Promise<T> {
    if (this.state === 'rejects') throw new StoreError('unavailable', 'the store is cut off by the test');
    if (this.state === 'hangs') await new Promise(() => undefined);
    return ask();
  }
}
