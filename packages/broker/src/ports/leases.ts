/**
 * Port: who is alive, as the store sees it (ARCHITECTURE.md, sections 5 and 9). Heartbeats say quickly that an endpoint may be dead; only a lease that
 * ran out, or its burial, makes it so for everybody. Time is the store's own clock: the clocks of nodes may differ.
 *
 * Contract, checked by `contract/leases-contract.ts`:
 * - Of `renew` and `bury` for one endpoint, one is first for everybody: after `bury` resolved to true, `renew` never again resolves to true for it.
 * - A rejected promise (StoreError `unavailable`) means that nothing is known.
 */
import type { EndpointId } from './store.ts';

export interface Leases {
  /** This endpoint lives for so many milliseconds from now. False: it was buried; it is to stop serving at once and come back under a new name. */
  renew(owner: EndpointId, milliseconds: number): Promise<boolean>;
  /** True: the endpoint is dead for ever, its lease had run out or `evenIfAlive` was given. False: its lease is valid. */
  bury(owner: EndpointId, evenIfAlive: boolean): Promise<boolean>;
  /** Gives the lease up: the endpoint stops by itself. It may be buried at once. */
  end(owner: EndpointId): Promise<void>;
}
