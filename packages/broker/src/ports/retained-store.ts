import type { Charge } from './quota.ts';

export interface RetainedEntry {
  topic: string;
  record: Uint8Array;
  expiresAt: number;
}

/**
 * Bytes of records from which on a page takes no further message: it is at most one message larger. A store of several
 * servers asks the next one with less, and may have twice as much.
 */
export const retainedPageBytes = 1024 * 1024;

export interface RetainedPage {
  entries: RetainedEntry[];
  /** Opaque; give it to the next call. Null: no more. */
  next: string | null;
}

/** Port: retained messages. What holds for every part of a store is said in store.ts. */
export interface RetainedStore {
  /**
   * Null removes. What is stored counts against the quota of `charge` until it is removed, or replaced by another user's;
   * without a charge it is nobody's, and has no limit. Rejects with `quota-exceeded`: nothing has changed then. A message
   * that replaces one of the same user is charged for the bytes that it is larger.
   */
  set(topic: string, record: Uint8Array | null, expiresAt: number, charge?: Charge): Promise<void>;
  /**
   * Retained messages whose topic matches, in a stable order, not expired at `now`. Costs what it matches, not what is
   * stored. A page may hold fewer than `limit` entries, even none, although `next` is not null; it ends at
   * `retainedPageBytes`.
   */
  read(filter: string, after: string | null, limit: number, now: number): Promise<RetainedPage>;
  count(): Promise<number>;
  /**
   * Looks at some messages, the next ones at each call, and removes those that have expired. Returns how many there were.
   * What has expired counts against quotas until then.
   */
  expire(now: number): Promise<number>;
}
