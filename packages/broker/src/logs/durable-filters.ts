/**
 * Durable filters, to which at least one durable session subscribes, and shared groups with a durable member: known to
 * every worker, owned by the store (ARCHITECTURE.md, section 5).
 *
 * They are loaded at the start, announced when a session adds one, and loaded again when an append shows that one is
 * gone, or when another endpoint knows a different set: if the difference lasts from one digest to the next, every
 * endpoint that sees it loads the set from the store, which is right. A filter that was announced while the set was
 * being loaded stays: the answer may be older than the announcement.
 */
import { matchedFilter } from '@dunlin/protocol';
import { subscriptionBytes } from '../guards/subscription-budget.ts';
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import type { Store } from '../ports/store.ts';
import { DurableLog, FollowedLogs, type WentBack } from '../session/durable-log.ts';
import { dropEmptyGroup, groupOf, type SharedGroup } from '../subscriptions/shared-subscriptions.ts';
import type { SubscriptionTree } from '../subscriptions/subscription-tree.ts';
import { inSlices } from '../work/in-slices.ts';
import type { Digest } from './set-digest.ts';
import { SetDigest } from './set-digest.ts';

/**
 * Digests in a row that differ before the set is loaded again: one may have crossed an announcement. Doubled when
 * loading did not help, up to the second value.
 */
const differencesMin = 2;
const differencesMax = 64;

interface Difference {
  count: number;
  loadAt: number;
}

/** Receives the groups that have a log. */
export interface GroupsWatcher {
  groupAdded(group: SharedGroup): void;
  groupRemoved(group: SharedGroup): void;
}

export interface DurableFiltersParts {
  store: Pick<Store, 'logs' | 'groups'>;
  tree: SubscriptionTree;
  clock: Clock;
  watcher: GroupsWatcher;
  /** Called with a log that has readers here and that the store has lost. */
  wentBack: WentBack;
}

export class DurableFilters {
  readonly digest = new SetDigest();
  /** Bytes of all of them, estimated as for subscriptions. */
  bytes = 0;
  /** Logs that have a reader here. */
  readonly followed = new FollowedLogs();
  private readonly store: Pick<Store, 'logs' | 'groups'>;
  private readonly clock: Clock;
  private readonly tree: SubscriptionTree;
  private readonly announcedAt = new Map<string, number>();
  private readonly groupsAnnouncedAt = new Map<string, number>();
  private readonly watcher: GroupsWatcher;
  /** Endpoints whose digest differs from that of the filters known here. */
  private readonly differing = new Map<EndpointId, Difference>();
  private generation = 0;
  private stale = false;
  /**
   * Filters that a session here reads and that the store did not have at the last load: the session may be in the
   * course of being removed.
   */
  private missing = new Set<DurableLog>();
  private readonly wentBack: WentBack;
  /** The store has gone back: the next load counts, also where it has less. */
  private isSetBack = false;

  constructor({ store, tree, clock, watcher, wentBack }: DurableFiltersParts) {
    this.store = store;
    this.clock = clock;
    this.tree = tree;
    this.watcher = watcher;
    this.wentBack = wentBack;
  }

  /** True for a durable filter, and for a group with a durable member. */
  has(name: string): boolean {
    return this.announcedAt.has(name) || this.groupsAnnouncedAt.has(name);
  }

  private count(name: string): void {
    this.digest.add(name, 0);
    this.bytes += subscriptionBytes(name);
  }

  private discount(name: string): void {
    this.digest.remove(name, 0);
    this.bytes -= subscriptionBytes(name);
  }

  get size(): number {
    return this.announcedAt.size;
  }

  async load(): Promise<void> {
    const since = ++this.generation;
    this.stale = false;
    const [filters, groups] = await Promise.all([this.store.logs.durableFilters(), this.store.groups.list()]).catch(
      (error: unknown) => {
        this.stale = true;
        throw error;
      },
    );
    const { isSetBack } = this;
    this.isSetBack = false;
    const presentGroups = new Set<string>();
    await this.some(groups, ({ group }) => {
      presentGroups.add(group);
      this.putGroup(group, since - 1);
    });
    await this.some([...this.groupsAnnouncedAt], ([name]) => {
      if ((this.groupsAnnouncedAt.get(name) ?? since) < since && !presentGroups.has(name)) this.removeGroup(name);
    });
    const present = new Set<string>();
    await this.some(filters, ({ filter, lastSequence }) => {
      present.add(filter);
      const log = this.put(filter, lastSequence, since - 1);
      if (isSetBack) log.setBack(lastSequence);
    });
    const missing = new Set<DurableLog>();
    await this.some([...this.announcedAt.keys()], (filter) => {
      if ((this.announcedAt.get(filter) ?? since) >= since || present.has(filter)) return;
      const log = this.tree.find(filter)?.log;
      if (log && log.readers.length > 0) missing.add(log);
      else this.remove(filter);
    });
    this.lookAtMissing(missing);
  }

  /**
   * Handles some filters a turn, so that a hundred thousand do not hold up clients. Filters announced between two turns
   * are younger than the answer, and stay.
   */
  private async some<T>(items: readonly T[], work: (item: T) => void): Promise<void> {
    await inSlices(this.clock, items, () => false, work);
  }

  private lookAtMissing(missing: Set<DurableLog>): void {
    const lost = [...missing].filter((log) => this.missing.has(log));
    this.missing = missing;
    if (lost.length > 0) this.wentBack(lost[0], 0);
    // They are compared once more.
    else if (missing.size > 0) this.stale = true;
  }

  /** Loads the set again after the store has gone back and no log has a reader here. */
  setBack(): void {
    this.isSetBack = true;
    this.followed.forgetEnds();
    this.stale = true;
    this.missing.clear();
  }

  /** Makes the filter durable here; returns its log. */
  add(filter: string, lastSequence: number): DurableLog {
    return this.put(filter, lastSequence, this.generation);
  }

  private put(filter: string, lastSequence: number, announced: number): DurableLog {
    const known = this.announcedAt.get(filter);
    if (known === undefined) this.count(filter);
    if (known === undefined || known < announced) this.announcedAt.set(filter, announced);
    const entry = this.tree.entry(filter);
    if (entry.log === null) {
      entry.log = new DurableLog(filter, lastSequence, this.followed);
      this.tree.touch();
    } else if (lastSequence > entry.log.lastSequence) {
      entry.log.lastSequence = lastSequence;
    }
    return entry.log;
  }

  /** Adds the group `$share/{name}/{filter}`, which has a durable member. */
  addGroup(name: string): void {
    this.putGroup(name, this.generation);
  }

  private putGroup(name: string, announced: number): void {
    const known = this.groupsAnnouncedAt.get(name);
    if (known === undefined || known < announced) this.groupsAnnouncedAt.set(name, announced);
    if (known !== undefined) return;
    this.count(name);
    const filter = matchedFilter(name);
    const group = groupOf(this.tree, this.tree.entry(filter), name, filter);
    group.isLogged = true;
    this.tree.touch();
    this.watcher.groupAdded(group);
  }

  private removeGroup(name: string): void {
    this.groupsAnnouncedAt.delete(name);
    this.discount(name);
    const entry = this.tree.find(matchedFilter(name));
    const group = entry?.groups?.get(name);
    if (entry === null || group === undefined) return;
    group.isLogged = false;
    this.watcher.groupRemoved(group);
    dropEmptyGroup(entry, group);
    this.tree.touch();
    this.tree.prune(entry);
  }

  /** Notes that a filter may no longer be durable, as an append or an unsubscribe has shown. */
  markStale(): void {
    this.stale = true;
  }

  /** Compares the digest of another endpoint. */
  compared(endpoint: EndpointId, theirs: Digest): void {
    if (this.digest.equals(theirs)) {
      this.differing.delete(endpoint);
      return;
    }
    const difference = this.differing.get(endpoint) ?? { count: 0, loadAt: differencesMin };
    this.differing.set(endpoint, difference);
    if (++difference.count < difference.loadAt) return;
    difference.count = 0;
    difference.loadAt = Math.min(difference.loadAt * 2, differencesMax);
    this.stale = true;
  }

  endpointLeft(endpoint: EndpointId): void {
    this.differing.delete(endpoint);
  }

  /** Called by the worker's timer. */
  async refresh(): Promise<void> {
    if (this.stale) await this.load();
  }

  private remove(filter: string): void {
    const entry = this.tree.find(filter);
    if (entry === null || entry.log === null || entry.log.readers.length > 0) return;
    entry.log = null;
    this.announcedAt.delete(filter);
    this.discount(filter);
    this.tree.touch();
    this.tree.prune(entry);
  }
}
