/**
 * Limits on the subscriptions of one session, of one user, and of all clients of the node: the latter two over all of its
 * workers, in memory that they share. One user may fill half of what there is for all, so that others have the rest. A subscription is charged when it is granted or restored,
 * and given back when it ends. Restored subscriptions are charged and never refused: a session keeps what it has, also
 * above limits that were lowered meanwhile, and is granted no more.
 */
import { parseShare } from '@dunlin/protocol';
import type { Limits } from '../ports/limits.ts';
import type { SubscriptionRefusal } from '../ports/metrics.ts';
import { newSharedCounts, SharedCounts } from './shared-counts.ts';
import { WideFilters } from './wide-filters.ts';

/** Estimate of the memory that a subscription takes in a worker: its objects, and a node of the tree for each level. */
const bytesPerSubscription = 512;
const bytesPerLevel = 128;

/** Bytes of one unit of the counts of users and of the node, which have 32 bits. */
const bytesPerUnit = 64;
/** Keys of those counts. Clients without a user name are one user. */
const nodeKey = 'node';
const namelessKey = 'nameless';
/** Share of the node's bytes that one user may fill. */
const sharePerUser = 0.5;

/** Bytes that a subscription is charged. */
export function subscriptionBytes(filter: string): number {
  let levels = 1;
  for (let at = filter.indexOf('/'); at >= 0; at = filter.indexOf('/', at + 1)) levels++;
  return bytesPerSubscription + filter.length + levels * bytesPerLevel;
}

/** Subscriptions that one session is charged for. */
export class SubscriptionHoldings {
  /** Name of the user that the session had at its first subscription; null: none. */
  readonly user: string | null;
  count = 0;
  bytes = 0;
  /** Shared groups that it is a member of, by their filter without `$share/…`; null: none. */
  groupsByFilter: Map<string, number> | null = null;

  constructor(user: string | null) {
    this.user = user;
  }

  /** Owner of its wide filters. */
  get owner(): unknown {
    return this.user ?? this;
  }
}

/** The session, as far as it is charged. */
export interface SubscriptionHolder {
  holdings: SubscriptionHoldings | null;
  readonly connection: { readonly signIn: { readonly userName: string | null } };
}

/** Refusal by a limit: what it is counted as, and the words for the log and the client: which limit, and what it allows. */
export interface Exceeded {
  readonly counted: SubscriptionRefusal;
  readonly text: string;
}

/** Durable filters and groups. */
export interface DurableNames {
  readonly bytes: number;
  has(name: string): boolean;
}

export class SubscriptionBudget {
  readonly wideFilters = new WideFilters();
  private readonly limits: Limits;
  private readonly counts: SharedCounts;

  /** `counts`: of subscriptions alone, shared by the workers of this node; absent: this worker is alone. */
  constructor(limits: Limits, counts = new SharedCounts(newSharedCounts(1), 0)) {
    this.limits = limits;
    this.counts = counts;
  }

  /** Charges a new subscription that is within all limits; otherwise returns the limit, and charges nothing. */
  take(holder: SubscriptionHolder, filter: string): Exceeded | null {
    const exceeded = this.exceededBy(holder, filter);
    if (exceeded === null) this.charge(holder, filter);
    return exceeded;
  }

  private exceededBy(holder: SubscriptionHolder, filter: string): Exceeded | null {
    const { limits } = this;
    const holdings = holdingsOf(holder);
    const bytes = subscriptionBytes(filter);
    if (holdings.count >= limits.subscriptionsMax) return reached('session-limit', limits, 'subscriptionsMax');
    if (holdings.bytes + bytes > limits.subscriptionBytesMax)
      return reached('session-limit', limits, 'subscriptionBytesMax');
    const share = parseShare(filter);
    if (share !== null && (holdings.groupsByFilter?.get(share.filter) ?? 0) >= limits.sharedGroupsPerFilterMax)
      return reached('shared-groups', limits, 'sharedGroupsPerFilterMax');
    if (!this.wideFilters.mayAdd(holdings.owner, share?.filter ?? filter)) return tooWide;
    return this.exceededByUser(holdings.user, bytes);
  }

  /**
   * Limit that refuses one more durable filter. `durable`: those that are known here, of all nodes, and also of sessions
   * whose clients are away, which nobody is charged for.
   */
  exceededByDurable(durable: DurableNames, name: string): Exceeded | null {
    const { limits } = this;
    const most = limits.subscriptionBytesNodeMax;
    if (most === 0 || durable.bytes + subscriptionBytes(name) <= most || durable.has(name)) return null;
    return reached('node-limit', limits, 'subscriptionBytesNodeMax');
  }

  private exceededByUser(user: string | null, bytes: number): Exceeded | null {
    const { limits, counts } = this;
    const countMax = limits.subscriptionsPerUserMax;
    if (user !== null && countMax > 0 && counts.count(countKeyOf(user)) >= countMax)
      return reached('user-limit', limits, 'subscriptionsPerUserMax');
    if (limits.subscriptionBytesNodeMax === 0) return null;
    const most = limits.subscriptionBytesNodeMax / bytesPerUnit;
    const units = unitsOf(bytes);
    if (counts.count(bytesKeyOf(user)) + units > most * sharePerUser) {
      const text = `this user has its half of limits.subscriptionBytesNodeMax: ${limits.subscriptionBytesNodeMax}`;
      return { counted: 'user-limit', text };
    }
    return counts.count(nodeKey) + units > most ? reached('node-limit', limits, 'subscriptionBytesNodeMax') : null;
  }

  /** Charges a subscription, whatever the limits say. */
  charge(holder: SubscriptionHolder, filter: string): void {
    const holdings = holdingsOf(holder);
    const bytes = subscriptionBytes(filter);
    holdings.count++;
    holdings.bytes += bytes;
    this.counts.enter(nodeKey, unitsOf(bytes));
    this.counts.enter(bytesKeyOf(holdings.user), unitsOf(bytes));
    if (holdings.user !== null) this.counts.enter(countKeyOf(holdings.user));
    const share = parseShare(filter);
    if (share !== null) {
      holdings.groupsByFilter ??= new Map();
      holdings.groupsByFilter.set(share.filter, (holdings.groupsByFilter.get(share.filter) ?? 0) + 1);
    }
    this.wideFilters.add(holdings.owner, share?.filter ?? filter);
  }

  /** Gives back what a subscription was charged. */
  giveBack(holder: SubscriptionHolder, filter: string): void {
    const holdings = holdingsOf(holder);
    const bytes = subscriptionBytes(filter);
    holdings.count--;
    holdings.bytes -= bytes;
    this.counts.leave(nodeKey, unitsOf(bytes));
    this.counts.leave(bytesKeyOf(holdings.user), unitsOf(bytes));
    if (holdings.user !== null) this.counts.leave(countKeyOf(holdings.user));
    const share = parseShare(filter);
    if (share !== null) {
      const groups = (holdings.groupsByFilter?.get(share.filter) ?? 0) - 1;
      if (groups > 0) holdings.groupsByFilter?.set(share.filter, groups);
      else holdings.groupsByFilter?.delete(share.filter);
    }
    this.wideFilters.remove(holdings.owner, share?.filter ?? filter);
  }
}

const tooWide: Exceeded = {
  counted: 'wildcards',
  text: 'too many filters of this user with two or more + cross above its levels',
};

function reached(counted: SubscriptionRefusal, limits: Limits, limit: keyof Limits): Exceeded {
  return { counted, text: `limits.${limit} is reached: ${limits[limit]}` };
}

function unitsOf(bytes: number): number {
  return Math.ceil(bytes / bytesPerUnit);
}

function bytesKeyOf(user: string | null): string {
  return user === null ? namelessKey : `bytes ${user}`;
}

function countKeyOf(user: string): string {
  return `count ${user}`;
}

/** The user is that of the first subscription: what was charged to it is given back to it, whoever signs in again. */
function holdingsOf(holder: SubscriptionHolder): SubscriptionHoldings {
  holder.holdings ??= new SubscriptionHoldings(holder.connection.signIn.userName);
  return holder.holdings;
}
