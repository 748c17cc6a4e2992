/**
 * Port: the leases of endpoints in the store (ARCHITECTURE.md, sections 5 and 9). Heartbeats show quickly that an endpoint may be dead; for
 * everybody it is dead when it was evicted. Time is the store's own clock: the clocks of nodes may differ.
 *
 * Contract, checked by `contract/leases-contract.ts`:
 * - Of `renew` and `evict` for one endpoint, one is first for everybody: after `evict` resolved to true, `renew` never again resolves to
 *   true for it.
 * - A rejected promise (StoreError `unavailable`) means that nothing is known.
 */
import type { EndpointId } from './endpoint-id.ts';

export interface Leases {
  /** Renews the lease for this time from now. False: the endpoint was evicted; it has to stop serving at once and start again under a new name. */
  renew(owner: EndpointId, milliseconds: number): Promise<boolean>;
  /** True: the endpoint is evicted for ever, since its lease had run out or `evenIfAlive` was given. False: its lease is valid. */
  evict(owner: EndpointId, evenIfAlive: boolean): Promise<boolean>;
  /** Gives the lease up: the endpoint stops by itself, and may be evicted at once. */
  end(owner: EndpointId): Promise<void>;
}
