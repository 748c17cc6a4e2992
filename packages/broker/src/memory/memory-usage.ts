import { type Charge, exceededLimit, type QuotaKind, quotaError, type Usage } from '../ports/quota.ts';

/** A stored item: who pays for it, and its size. */
export interface Charged {
  user: string;
  bytes: number;
}

const nothing: Usage = { count: 0, bytes: 0 };

/** Amounts of one kind in the memory store, in all and by user. */
export class MemoryUsage {
  private readonly kind: QuotaKind;
  private readonly all: Usage = { ...nothing };
  private readonly byUser = new Map<string, Usage>();

  constructor(kind: QuotaKind) {
    this.kind = kind;
  }

  /**
   * Puts `after` in the place of `before`; undefined: there is none. Without a charge nothing is refused.
   * @throws StoreError `quota-exceeded`
   */
  replace(before: Charged | undefined, after: Charged | undefined, charge?: Charge): void {
    if (charge !== undefined && after !== undefined) {
      const addToAll = { count: before === undefined ? 1 : 0, bytes: after.bytes - (before?.bytes ?? 0) };
      const isOwn = before?.user === after.user;
      const addToUser = isOwn ? addToAll : { count: 1, bytes: after.bytes };
      const limit = exceededLimit(charge.quota, this.all, addToAll, this.byUser.get(after.user) ?? nothing, addToUser);
      if (limit !== null) throw quotaError(this.kind, charge, limit);
    }
    if (before !== undefined) this.add(before, -1);
    if (after !== undefined) this.add(after, 1);
  }

  private add({ user, bytes }: Charged, sign: 1 | -1): void {
    this.all.count += sign;
    this.all.bytes += sign * bytes;
    const usage = this.byUser.get(user) ?? { ...nothing };
    usage.count += sign;
    usage.bytes += sign * bytes;
    if (usage.count === 0) this.byUser.delete(user);
    else this.byUser.set(user, usage);
  }
}
