/**
 * Routes of one other endpoint, as they are known here: its filters in the tree, kept up to date by numbered changes
 * and, when one was lost, by its whole set (ARCHITECTURE.md, section 5).
 *
 * A whole set comes in parts. What it adds is in force at once; what it does not contain is removed with the last part,
 * found by its generation. So a filter that stays is never out of force. Changes that come between the parts wait for
 * the last one.
 */

import { SetDigest } from '../logs/set-digest.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import { dropEmptyGroup, groupOf } from '../subscriptions/shared-subscriptions.ts';
import type { FilterEntry, SubscriptionTree } from '../subscriptions/subscription-tree.ts';
import type { RouteChange, SnapshotPart } from './frames.ts';

/** Changes that may wait for a whole set: those after them count as a gap, and are requested. */
const waitingChangesMax = 100_000;

interface Collecting {
  id: number;
  nextPart: number;
  sequence: number;
  waiting: { sequence: number; changes: RouteChange[] }[];
  waitingCount: number;
  /** Time of the last part. */
  at: number;
}

/** `in-force`: to be confirmed. `waits`: more is on its way. `gap`: a change was lost, and is to be requested. */
export type Taken = 'in-force' | 'waits' | 'gap';

/**
 * Salts of the digest: the same filter with subscribers of another kind is another route. The salt of a group depends
 * on its numbers of members.
 */
export const liveSalt = 0;
export const loggedSalt = 1;

export function saltOfGroup(count: number, logged: number): number {
  return 2 + count + logged * 0x10001;
}

export class PeerRoutes {
  readonly endpoint: EndpointId;
  /** The last of our changes that the endpoint confirmed; -1: not even our set at its beginning. */
  confirmed = -1;
  /** The last of its changes that is in force here. */
  sequence = -1;
  /** Its whole set has arrived once. */
  isComplete = false;
  /** Time of the last request for lost changes. */
  askedAt = Number.NEGATIVE_INFINITY;
  readonly digest = new SetDigest();
  private readonly tree: SubscriptionTree;
  private readonly durableAnnounced: (filter: string, lastSequence: number) => void;
  /**
   * Filters with the generation in which each was last announced, times two, plus one if its subscribers are durable
   * alone.
   */
  private readonly filters = new Map<string, number>();
  private readonly groups = new Map<string, { count: number; logged: number; generation: number }>();
  private generation = 1;
  private collecting: Collecting | null = null;

  constructor(
    endpoint: EndpointId,
    tree: SubscriptionTree,
    durableAnnounced: (filter: string, lastSequence: number) => void,
  ) {
    this.endpoint = endpoint;
    this.tree = tree;
    this.durableAnnounced = durableAnnounced;
  }

  takeChanges(sequence: number, changes: RouteChange[]): Taken {
    const { collecting } = this;
    if (collecting !== null) {
      const last = collecting.waiting.at(-1)?.sequence ?? collecting.sequence;
      if (sequence === last + 1 && collecting.waitingCount <= waitingChangesMax) {
        collecting.waiting.push({ sequence, changes });
        collecting.waitingCount += changes.length;
      }
      return 'waits';
    }
    if (!this.isComplete || sequence > this.sequence + 1) return 'gap';
    if (sequence === this.sequence + 1) this.apply(sequence, changes);
    return 'in-force';
  }

  takePart(part: SnapshotPart, now: number): Taken {
    if (part.part === 0) {
      this.generation++;
      const { id, sequence } = part;
      this.collecting = { id, nextPart: 0, sequence, waiting: [], waitingCount: 0, at: now };
    }
    const { collecting } = this;
    if (collecting === null || collecting.id !== part.id || collecting.nextPart !== part.part) {
      this.collecting = null;
      return 'gap';
    }
    collecting.nextPart++;
    collecting.at = now;
    for (const change of part.changes) this.change(change);
    if (!part.isLast) return 'waits';
    this.collecting = null;
    this.removeUnsaid();
    this.isComplete = true;
    this.sequence = collecting.sequence;
    for (const { sequence, changes } of collecting.waiting) this.apply(sequence, changes);
    return 'in-force';
  }

  /** True when parts of its whole set came within this time. If they stopped, the rest is given up. */
  isCollecting(now: number, withinMilliseconds: number): boolean {
    if (this.collecting === null) return false;
    if (now - this.collecting.at < withinMilliseconds) return true;
    this.collecting = null;
    return false;
  }

  /** Removes all routes of the endpoint, which is gone. */
  clear(): void {
    this.collecting = null;
    for (const filter of [...this.filters.keys()]) this.removeFilter(filter);
    for (const name of [...this.groups.keys()]) this.setGroup(name, 0, 0);
  }

  private apply(sequence: number, changes: RouteChange[]): void {
    for (const change of changes) this.change(change);
    this.sequence = sequence;
  }

  private change({ kind, filter, count, logged = 0 }: RouteChange): void {
    if (kind === 'add') this.setFilter(filter, false);
    else if (kind === 'logged') this.setFilter(filter, true);
    else if (kind === 'remove') this.removeFilter(filter);
    else if (kind === 'group') this.setGroup(filter, count, logged);
    else this.durableAnnounced(filter, count);
  }

  private setFilter(filter: string, isLogged: boolean): void {
    const kind = isLogged ? 1 : 0;
    const known = this.filters.get(filter);
    if (known !== undefined && known % 2 === kind) {
      this.filters.set(filter, this.generation * 2 + kind);
      return;
    }
    if (isLogged) this.durableAnnounced(filter, 0);
    const entry = this.tree.entry(filter);
    if (known !== undefined) this.takeOut(entry, !isLogged);
    if (isLogged) entry.loggedEndpoints = withEndpoint(entry.loggedEndpoints, this.endpoint);
    else entry.endpoints = withEndpoint(entry.endpoints, this.endpoint);
    // The string of the entry: a filter that a hundred endpoints want is stored once.
    this.filters.set(entry.filter, this.generation * 2 + kind);
    this.digest.add(filter, isLogged ? loggedSalt : liveSalt);
    this.tree.touch();
  }

  private removeFilter(filter: string): void {
    const known = this.filters.get(filter);
    if (known === undefined) return;
    this.filters.delete(filter);
    const entry = this.tree.find(filter);
    if (entry === null) return;
    this.takeOut(entry, known % 2 === 1);
    this.tree.touch();
    this.tree.prune(entry);
  }

  private takeOut(entry: FilterEntry, isLogged: boolean): void {
    if (isLogged) entry.loggedEndpoints = withoutEndpoint(entry.loggedEndpoints, this.endpoint);
    else entry.endpoints = withoutEndpoint(entry.endpoints, this.endpoint);
    this.digest.remove(entry.filter, isLogged ? loggedSalt : liveSalt);
  }

  private setGroup(name: string, count: number, logged: number): void {
    const known = this.groups.get(name);
    if (known !== undefined) this.digest.remove(name, saltOfGroup(known.count, known.logged));
    if (count > 0) {
      this.groups.set(name, { count, logged, generation: this.generation });
      this.digest.add(name, saltOfGroup(count, logged));
    } else {
      this.groups.delete(name);
    }
    if ((known?.count ?? 0) === count && (known?.logged ?? 0) === logged) return;
    const filter = name.slice(name.indexOf('/', 7) + 1);
    const entry = this.tree.entry(filter);
    const group = groupOf(this.tree, entry, name, filter);
    group.setRemote(this.endpoint, count, logged);
    dropEmptyGroup(entry, group);
    this.tree.touch();
    this.tree.prune(entry);
  }

  /** Removes the routes that the whole set did not contain. */
  private removeUnsaid(): void {
    for (const [filter, value] of this.filters) {
      if (Math.floor(value / 2) !== this.generation) this.removeFilter(filter);
    }
    for (const [name, { generation }] of this.groups) if (generation !== this.generation) this.setGroup(name, 0, 0);
  }
}

/**
 * Removes in place: a hundred endpoints that want the same filter must not copy the list a hundred times. Matches hold
 * lists of their own.
 */
function withEndpoint(endpoints: string[] | null, endpoint: EndpointId): string[] {
  if (endpoints === null) return [endpoint];
  endpoints.push(endpoint);
  return endpoints;
}

function withoutEndpoint(endpoints: string[] | null, endpoint: EndpointId): string[] | null {
  if (endpoints === null) return null;
  const at = endpoints.indexOf(endpoint);
  if (at < 0) return endpoints;
  const last = endpoints.pop();
  if (last !== undefined && at < endpoints.length) endpoints[at] = last;
  return endpoints.length === 0 ? null : endpoints;
}
