/**
 * The filters that at least one durable session subscribes to: known to every worker, owned by the store (ARCHITECTURE.md, section 5).
 *
 * They are loaded at the start, announced when a session adds one, and loaded again when an append tells that one is gone. A filter that was announced
 * while the set was being loaded stays: the answer may be older than the announcement.
 */
import { DurableLog } from './durable-log.ts';
import type { Store } from './ports/store.ts';
import type { SubscriptionTree } from './subscription-tree.ts';

export class DurableFilters {
  private readonly store: Store;
  private readonly tree: SubscriptionTree;
  private readonly announcedAt = new Map<string, number>();
  private generation = 0;
  private stale = false;

  constructor(store: Store, tree: SubscriptionTree) {
    this.store = store;
    this.tree = tree;
  }

  get size(): number {
    return this.announcedAt.size;
  }

  async load(): Promise<void> {
    const since = ++this.generation;
    this.stale = false;
    const filters = await this.store.durableFilters().catch((error: unknown) => {
      this.stale = true;
      throw error;
    });
    const present = new Set<string>();
    for (const { filter, lastSequence } of filters) {
      present.add(filter);
      this.add(filter, lastSequence);
    }
    for (const [filter, announced] of this.announcedAt) {
      if (announced < since && !present.has(filter)) this.remove(filter);
    }
  }

  /** Makes the filter durable here; returns its log. */
  add(filter: string, lastSequence: number): DurableLog {
    this.announcedAt.set(filter, this.generation);
    const entry = this.tree.entry(filter);
    if (entry.log === null) {
      entry.log = new DurableLog(filter, lastSequence);
      this.tree.touch();
    } else if (lastSequence > entry.log.lastSequence) {
      entry.log.lastSequence = lastSequence;
    }
    return entry.log;
  }

  /** An append or an unsubscribe told that a filter may not be durable any more. */
  markStale(): void {
    this.stale = true;
  }

  /** Called by the worker's timer. */
  async refresh(): Promise<void> {
    if (this.stale) await this.load();
  }

  private remove(filter: string): void {
    const entry = this.tree.find(filter);
    if (entry === null || entry.log === null || entry.log.cursors.length > 0) return;
    entry.log = null;
    this.announcedAt.delete(filter);
    this.tree.touch();
    this.tree.prune(entry);
  }
}
