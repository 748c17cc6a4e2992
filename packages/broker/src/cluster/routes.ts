/**
 * Which endpoints want which filters (ARCHITECTURE.md, section 5), and the barrier that lets SUBACK wait (P5).
 *
 * Each endpoint owns the set of filters its sessions hold, and numbers its changes. Changes of one turn travel in one frame. A receiver
 * puts them in force and confirms the number; `confirmed()` resolves when every live endpoint has confirmed all changes made so far.
 */
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { EndpointId } from '../ports/store.ts';
import { SharedGroup } from '../shared-subscriptions.ts';
import type { FilterEntry, SubscriptionTree } from '../subscription-tree.ts';
import { type RouteChange, readRoutes, writeRoutes } from './frames.ts';
import { type FrameReader, FrameWriter } from './wire.ts';

interface Peer {
  /** The last of our changes that it confirmed. */
  confirmed: number;
  /** Filters it wants, for removing them when it leaves. */
  filters: Set<string>;
  groups: Set<string>;
  snapshotReceived: boolean;
}

interface Waiter {
  sequence: number;
  deadline: number;
  done: () => void;
}

export class Routes {
  private readonly tree: SubscriptionTree;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly metrics: Metrics;
  private readonly confirmMilliseconds: number;
  private readonly send: (to: EndpointId | null, bytes: Uint8Array) => void;
  private readonly durableAnnounced: (filter: string, lastSequence: number) => void;
  private readonly peers = new Map<EndpointId, Peer>();
  /** Own filters and groups as others know them. */
  private readonly own = new Map<string, RouteChange>();
  private pending: RouteChange[] = [];
  private sequence = 0;
  private waiters: Waiter[] = [];
  private scheduled = false;
  /** A frame is to be sent even if no route changed. */
  private confirmationWanted = false;
  private snapshotWaiters: (() => void)[] = [];

  constructor(options: {
    tree: SubscriptionTree;
    clock: Clock;
    logger: Logger;
    metrics: Metrics;
    confirmMilliseconds: number;
    /** To one endpoint, or to all (null). */
    send: (to: EndpointId | null, bytes: Uint8Array) => void;
    durableAnnounced: (filter: string, lastSequence: number) => void;
  }) {
    this.tree = options.tree;
    this.clock = options.clock;
    this.logger = options.logger;
    this.metrics = options.metrics;
    this.confirmMilliseconds = options.confirmMilliseconds;
    this.send = options.send;
    this.durableAnnounced = options.durableAnnounced;
    this.clock.every(100, () => this.giveUpLate());
  }

  get hasPeers(): boolean {
    return this.peers.size > 0;
  }

  /** Something about a filter changed here: recomputes what others must know of it. */
  filterChanged(entry: FilterEntry): void {
    const wanted = entry.subscriptions.length > 0 || entry.logged.length > 0;
    const known = this.own.has(entry.filter);
    if (wanted === known) return;
    const change: RouteChange = { kind: wanted ? 'add' : 'remove', filter: entry.filter, count: 0 };
    if (wanted) this.own.set(entry.filter, change);
    else this.own.delete(entry.filter);
    this.change(change);
  }

  groupChanged(group: SharedGroup): void {
    const change: RouteChange = { kind: 'group', filter: group.name, count: group.members.length };
    if (group.members.length > 0) this.own.set(group.name, change);
    else this.own.delete(group.name);
    this.change(change);
  }

  announceDurable(filter: string, lastSequence: number): void {
    this.change({ kind: 'durable', filter, count: lastSequence });
  }

  private change(change: RouteChange): void {
    if (this.peers.size === 0) return; // a peer that joins later gets the whole set
    this.pending.push(change);
    this.scheduleFlush();
  }

  private scheduleFlush(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.clock.nextTurn(() => this.flush());
  }

  private flush(): void {
    this.scheduled = false;
    if (this.pending.length === 0 && !this.confirmationWanted) return;
    this.confirmationWanted = false;
    const writer = new FrameWriter();
    writeRoutes(writer, ++this.sequence, false, this.pending);
    this.pending = [];
    this.send(null, writer.take());
  }

  /** Resolves when every live endpoint has confirmed what was changed until now, or after the bounded time. */
  confirmed(): Promise<void> {
    if (this.peers.size === 0) return Promise.resolve();
    this.flush();
    return this.waitFor(this.sequence);
  }

  /**
   * Resolves when every live endpoint has answered to a question asked from now on, also where no route changed: what any of them took to retain before can
   * be read then. Askers of one turn share one question.
   */
  confirmedAnew(): Promise<void> {
    if (this.peers.size === 0) return Promise.resolve();
    this.confirmationWanted = true;
    this.scheduleFlush();
    return this.waitFor(this.sequence + 1);
  }

  private waitFor(sequence: number): Promise<void> {
    if (this.isConfirmed(sequence)) return Promise.resolve();
    return new Promise((done) => {
      this.waiters.push({ sequence, deadline: this.clock.now() + this.confirmMilliseconds, done });
    });
  }

  private isConfirmed(sequence: number): boolean {
    for (const peer of this.peers.values()) if (peer.confirmed < sequence) return false;
    return true;
  }

  private wake(): void {
    const waiting = this.waiters;
    this.waiters = [];
    for (const waiter of waiting) {
      if (this.isConfirmed(waiter.sequence)) waiter.done();
      else this.waiters.push(waiter);
    }
  }

  private giveUpLate(): void {
    if (this.waiters.length === 0) return;
    const now = this.clock.now();
    const late = this.waiters.filter((waiter) => waiter.deadline <= now);
    if (late.length === 0) return;
    this.waiters = this.waiters.filter((waiter) => waiter.deadline > now);
    this.metrics.barrierTimeouts += late.length;
    this.logger.warn('other workers did not confirm a route in time', { subscriptions: late.length });
    for (const waiter of late) waiter.done();
  }

  joined(endpoint: EndpointId): void {
    const peer: Peer = { confirmed: 0, filters: new Set(), groups: new Set(), snapshotReceived: false };
    this.peers.set(endpoint, peer);
    this.flush();
    const writer = new FrameWriter();
    writeRoutes(writer, this.sequence, true, [...this.own.values()]);
    this.send(endpoint, writer.take());
  }

  left(endpoint: EndpointId): void {
    const peer = this.peers.get(endpoint);
    if (peer === undefined) return;
    for (const filter of [...peer.filters]) this.removeRoute(endpoint, peer, filter);
    for (const name of [...peer.groups]) this.setGroup(endpoint, peer, name, 0);
    this.peers.delete(endpoint);
    this.wake();
    this.wakeSnapshots();
  }

  confirmReceived(from: EndpointId, sequence: number): void {
    const peer = this.peers.get(from);
    if (peer === undefined) return;
    peer.confirmed = Math.max(peer.confirmed, sequence);
    this.wake();
  }

  /** Puts a peer's changes in force and returns the sequence to confirm. */
  received(from: EndpointId, reader: FrameReader): number {
    const { sequence, snapshot, changes } = readRoutes(reader);
    const peer = this.peers.get(from);
    if (peer === undefined) return sequence;
    if (snapshot) {
      for (const filter of [...peer.filters]) this.removeRoute(from, peer, filter);
      for (const name of [...peer.groups]) this.setGroup(from, peer, name, 0);
    }
    for (const change of changes) {
      if (change.kind === 'add') this.addRoute(from, peer, change.filter);
      else if (change.kind === 'remove') this.removeRoute(from, peer, change.filter);
      else if (change.kind === 'group') this.setGroup(from, peer, change.filter, change.count);
      else this.durableAnnounced(change.filter, change.count);
    }
    if (snapshot) {
      peer.snapshotReceived = true;
      this.wakeSnapshots();
    }
    return sequence;
  }

  /** Resolves when every known endpoint has sent its whole set. */
  snapshotsReceived(): Promise<void> {
    if (this.snapshotsComplete()) return Promise.resolve();
    return new Promise((done) => this.snapshotWaiters.push(done));
  }

  private snapshotsComplete(): boolean {
    for (const peer of this.peers.values()) if (!peer.snapshotReceived) return false;
    return true;
  }

  private wakeSnapshots(): void {
    if (this.snapshotsComplete()) for (const done of this.snapshotWaiters.splice(0)) done();
  }

  private addRoute(endpoint: EndpointId, peer: Peer, filter: string): void {
    peer.filters.add(filter);
    const entry = this.tree.entry(filter);
    if (entry.endpoints?.includes(endpoint)) return;
    entry.endpoints = [...(entry.endpoints ?? []), endpoint];
    this.tree.touch();
  }

  private removeRoute(endpoint: EndpointId, peer: Peer, filter: string): void {
    peer.filters.delete(filter);
    const entry = this.tree.find(filter);
    if (entry === null || entry.endpoints === null) return;
    const left = entry.endpoints.filter((other) => other !== endpoint);
    entry.endpoints = left.length > 0 ? left : null;
    this.tree.touch();
    this.tree.prune(entry);
  }

  private setGroup(endpoint: EndpointId, peer: Peer, name: string, count: number): void {
    if (count > 0) peer.groups.add(name);
    else peer.groups.delete(name);
    const filter = name.slice(name.indexOf('/', 7) + 1);
    const entry = this.tree.entry(filter);
    const group = groupOf(entry, name, filter);
    group.setRemote(endpoint, count);
    dropEmptyGroup(entry, group);
    this.tree.touch();
    this.tree.prune(entry);
  }
}

/** The group of an entry by its whole name `$share/{name}/{filter}`, made if there is none. */
export function groupOf(entry: FilterEntry, name: string, filter: string): SharedGroup {
  entry.groups ??= [];
  let group = entry.groups.find((known) => known.name === name);
  if (group === undefined) {
    group = new SharedGroup(name, filter);
    entry.groups.push(group);
  }
  return group;
}

export function dropEmptyGroup(entry: FilterEntry, group: SharedGroup): void {
  if (!group.isEmpty || entry.groups === null) return;
  entry.groups = entry.groups.filter((other) => other !== group);
  if (entry.groups.length === 0) entry.groups = null;
}
