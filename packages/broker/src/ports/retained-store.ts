export interface RetainedEntry {
  topic: string;
  record: Uint8Array;
  expiresAt: number;
}

export interface RetainedPage {
  entries: RetainedEntry[];
  /** Opaque; give it to the next call. Null: no more. */
  next: string | null;
}

/** Port: retained messages. What holds for every part of a store is said in store.ts. */
export interface RetainedStore {
  /** Null removes. */
  set(topic: string, record: Uint8Array | null, expiresAt: number): Promise<void>;
  /**
   * Retained messages whose topic matches, in a stable order, not expired at `now`. Costs what it matches, not what is
   * stored. A page may hold fewer than `limit` entries, even none, although `next` is not null.
   */
  read(filter: string, after: string | null, limit: number, now: number): Promise<RetainedPage>;
  count(): Promise<number>;
}
