/** Clients that a ban means: those to whom every name in it applies. Null: any; at least one is given. */
export interface BanTarget {
  readonly clientId: string | null;
  readonly userName: string | null;
  /** An address or a range, as `canonicalRange` writes it: `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/64`. */
  readonly address: string | null;
}

export interface Ban extends BanTarget {
  readonly reason: string;
  /** Name of an operator, or of the rule that made it. */
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970; Infinity: never. */
  readonly endsAt: number;
}

/** Place in the history of a store's bans: its count of removals, and the number of the last change that was read. */
export interface BanPlace {
  readonly removals: number;
  readonly changes: number;
}

export interface BanChanges {
  readonly bans: Ban[];
  /** True: this page is the first of all bans, and what was known before does not count any more. */
  readonly isWhole: boolean;
  readonly place: BanPlace;
  readonly hasMore: boolean;
}

/** Identity of a ban: a second one with the same names replaces the first. */
export function banKey({ clientId, userName, address }: BanTarget): string {
  return JSON.stringify([clientId, userName, address]);
}

/** Port: bans. What holds for every part of a store is said in store.ts. */
export interface BanStore {
  /** Adds a ban, or replaces the one with the same names. */
  put(ban: Ban): Promise<void>;
  /** False: there was no such ban. */
  remove(target: BanTarget): Promise<boolean>;
  /**
   * Bans that were put after this place, in that order; all of them (`isWhole`) for null, after a removal, and for a
   * place that the store has not reached. Costs little where nothing has changed. Bans that have ended may be among
   * them.
   */
  changes(after: BanPlace | null, limit: number): Promise<BanChanges>;
  /** Removes bans that have ended, at most `limit`; returns their number. Readers know by themselves that they have. */
  expire(now: number, limit: number): Promise<number>;
}
