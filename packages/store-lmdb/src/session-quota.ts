import type { ClaimRequest } from '@dunlin/broker/ports';
import { entryCount, type Tables } from './environment.ts';
import type { RecordWriter } from './records.ts';
import { readSession, type SessionRecord } from './session-records.ts';
import { type Charged, Usages } from './usages.ts';

/** Counts of stored sessions, in all and by user, within a transaction. */
export class SessionQuota {
  private readonly tables: Tables;
  private readonly usages: Usages;

  constructor(tables: Tables, writer: RecordWriter) {
    this.tables = tables;
    this.usages = new Usages('sessions', tables.usage, writer);
  }

  /**
   * Throws StoreError `quota-exceeded` where the claim would store one session more than there may be. `session`: the one
   * that is stored; `ends`: it ends by the claim.
   */
  check({ user = '', sessionExpirySeconds, quota }: ClaimRequest, session: SessionRecord | null, ends: boolean): void {
    if (quota === undefined) return;
    const before = session === null ? undefined : charged(session.user);
    const isStored = (session !== null && !ends) || sessionExpirySeconds > 0;
    this.usages.check(before, isStored ? charged(user) : undefined, { user, quota });
  }

  /** Counts a session of this user in the place of one of that user; null: there is none. */
  replace(before: string | null, after: string | null): void {
    this.usages.replace(before === null ? undefined : charged(before), after === null ? undefined : charged(after));
  }

  /** True: a release that keeps no amounts has written to this file. */
  get isMiscounted(): boolean {
    return this.usages.all.count !== entryCount(this.tables.session);
  }

  /** Counts everything again. Within a transaction. */
  recount(): void {
    this.usages.clear();
    for (const { value } of this.tables.session.getRange({}))
      this.usages.replace(undefined, charged(readSession(value).user));
  }
}

/** A session as its user pays for it. */
function charged(user: string): Charged {
  return { user, bytes: 0 };
}
