import type { Charge } from './quota.ts';

/** A message that waits for its time. */
export interface DelayedMessage {
  /** Given by the store. */
  id: string;
  record: Uint8Array;
  /** User whose quota it counts against; empty: anonymous, or unknown. */
  user: string;
}

/** Port: delayed publishes. What holds for every part of a store is said in store.ts. */
export interface DelayedStore {
  /**
   * The message counts against the quota of `charge` until it is removed; without a charge it is nobody's, and has no
   * limit. Rejects with `quota-exceeded`: nothing has changed then.
   */
  add(record: Uint8Array, dueAt: number, charge?: Charge): Promise<void>;
  /** Time from which `takeDue` finds something; Infinity: not until `until`. */
  nextDue(until: number): Promise<number>;
  /** Takes messages as `takeDue` of wills does: handed out again unless removed within 30 seconds. */
  takeDue(now: number, limit: number): Promise<DelayedMessage[]>;
  remove(id: string): Promise<void>;
}
