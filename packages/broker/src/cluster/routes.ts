/**
 * Routes: which endpoints want which filters (ARCHITECTURE.md, section 5), and the barrier that lets SUBACK wait (P5).
 *
 * Each endpoint owns the set of filters its sessions hold, and numbers its changes. Changes of one turn travel in one
 * frame. A receiver puts them in force and confirms the number; `confirmed()` resolves when every live endpoint has
 * confirmed all changes made so far.
 *
 * Any frame may be lost. Each second every endpoint sends the others the digest of its set and the number of its last
 * change, and more often to endpoints whose confirmation a client waits for. A receiver that has less, or something
 * else, requests the rest or the whole set; a receiver that has the same confirms again.
 */

import type { Digest } from '../logs/set-digest.ts';
import { type FrameReader, FrameWriter } from '../message/wire.ts';
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { SharedGroup } from '../subscriptions/shared-subscriptions.ts';
import type { FilterEntry, SubscriptionTree } from '../subscriptions/subscription-tree.ts';
import { WorkTimer } from '../work/work-timer.ts';
import { readDigest, readRoutes, readSnapshotPart, readWanted, writeDigest, writeWanted } from './frames.ts';
import { OwnRoutes } from './own-routes.ts';
import { PeerRoutes, type Taken } from './peer-routes.ts';
import { RouteBarrier } from './route-barrier.ts';
import { RouteSnapshots } from './route-snapshots.ts';

/** Interval of digests to all endpoints; shorter where a confirmation is awaited. */
const digestMilliseconds = 1000;
const waitedForMilliseconds = 200;
/** Interval while a confirmation is awaited. */
const tickMilliseconds = 100;
/**
 * Time that an endpoint has to send what was requested before it is asked again; also between the parts of a whole set.
 */
const askAgainMilliseconds = 400;

export interface RoutesOptions {
  tree: SubscriptionTree;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  confirmMilliseconds: number;
  /** Sends to one endpoint, or to all (null). */
  send: (to: EndpointId | null, bytes: Uint8Array) => void;
  /** Called before the routes of other endpoints change. */
  changing: () => void;
  durableAnnounced: (filter: string, lastSequence: number) => void;
  /** Digest of the durable filters known here. */
  durableDigest: () => Digest;
  /** Digest of the durable filters known at another endpoint. */
  durableCompared: (endpoint: EndpointId, theirs: Digest) => void;
}

export class Routes {
  private readonly options: RoutesOptions;
  private readonly clock: Clock;
  private readonly peers = new Map<EndpointId, PeerRoutes>();
  private readonly own = new OwnRoutes();
  private readonly snapshots: RouteSnapshots;
  private readonly barrier: RouteBarrier;
  private isScheduled = false;
  /** A frame is sent even if no route changed. */
  private confirmationWanted = false;
  private snapshotWaiters: (() => void)[] = [];
  private readonly waiting: WorkTimer;
  private lastDigestAt = 0;

  constructor(options: RoutesOptions) {
    this.options = options;
    this.clock = options.clock;
    this.snapshots = new RouteSnapshots(this.own, options.clock, options.send);
    this.barrier = new RouteBarrier(options.clock, options.logger, options.metrics, options.confirmMilliseconds);
    this.clock.every(digestMilliseconds, () => this.compare());
    this.waiting = new WorkTimer(this.clock, tickMilliseconds, () => this.tick());
  }

  /** Number of filters and groups that others are told of. */
  get ownCount(): number {
    return this.own.routes.size;
  }

  get hasPeers(): boolean {
    return this.peers.size > 0;
  }

  /** Recomputes what others must know of a filter that changed here. */
  filterChanged(entry: FilterEntry): void {
    if (this.own.filterChanged(entry)) this.changed();
  }

  groupChanged(group: SharedGroup): void {
    this.own.groupChanged(group);
    this.changed();
  }

  announceDurable(filter: string, lastSequence: number): void {
    this.own.announce({ kind: 'durable', filter, count: lastSequence });
    this.changed();
  }

  private changed(): void {
    if (this.peers.size === 0) this.own.forgetPending();
    else this.scheduleFlush();
  }

  private scheduleFlush(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.clock.nextTurn(() => {
      this.isScheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    if (!this.own.hasPending && !this.confirmationWanted) return;
    this.confirmationWanted = false;
    for (const bytes of this.own.takeFrames()) this.options.send(null, bytes);
  }

  /** Resolves when every live endpoint has confirmed all changes until now, or after the bounded time. */
  confirmed(): Promise<void> {
    if (this.peers.size === 0) return Promise.resolve();
    this.flush();
    return this.waitFor(this.own.sequence);
  }

  /**
   * Resolves when every live endpoint has answered a request made from now on, also where no route changed: messages
   * that any of them accepted to retain before can be read then. Callers of one turn share one request.
   */
  confirmedAnew(): Promise<void> {
    if (this.peers.size === 0) return Promise.resolve();
    this.confirmationWanted = true;
    this.scheduleFlush();
    return this.waitFor(this.own.sequence + 1);
  }

  private waitFor(sequence: number): Promise<void> {
    if (this.confirmedByAll() >= sequence) return Promise.resolve();
    this.waiting.start();
    return this.barrier.wait(sequence);
  }

  private confirmedByAll(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const peer of this.peers.values()) if (peer.confirmed < least) least = peer.confirmed;
    return least;
  }

  joined(endpoint: EndpointId): void {
    if (this.peers.has(endpoint)) this.left(endpoint);
    this.peers.set(endpoint, new PeerRoutes(endpoint, this.options.tree, this.options.durableAnnounced));
    this.flush();
    this.snapshots.sendTo(endpoint);
  }

  left(endpoint: EndpointId): void {
    const peer = this.peers.get(endpoint);
    if (peer === undefined) return;
    this.options.changing();
    peer.clear();
    this.peers.delete(endpoint);
    this.snapshots.left(endpoint);
    this.barrier.confirmed(this.confirmedByAll());
    this.wakeSnapshots();
  }

  confirmReceived(from: EndpointId, sequence: number): void {
    const peer = this.peers.get(from);
    if (peer === undefined || sequence <= peer.confirmed) return;
    peer.confirmed = sequence;
    if (this.barrier.isWaitedFor) this.barrier.confirmed(this.confirmedByAll());
  }

  /** Puts changes of a peer in force. Returns the sequence to confirm, or null if something is missing before them. */
  received(from: EndpointId, reader: FrameReader): number | null {
    const { sequence, changes } = readRoutes(reader);
    const peer = this.peers.get(from);
    if (peer === undefined) return null;
    this.options.changing();
    return this.taken(peer, peer.takeChanges(sequence, changes), false);
  }

  /** The same for a part of the whole set of a peer. */
  snapshotReceived(from: EndpointId, reader: FrameReader): number | null {
    const part = readSnapshotPart(reader);
    const peer = this.peers.get(from);
    if (peer === undefined) return null;
    this.options.changing();
    const sequence = this.taken(peer, peer.takePart(part, this.clock.now()), true);
    if (sequence !== null) this.wakeSnapshots();
    return sequence;
  }

  private taken(peer: PeerRoutes, taken: Taken, isWhole: boolean): number | null {
    if (taken === 'gap') this.ask(peer, isWhole);
    return taken === 'in-force' ? peer.sequence : null;
  }

  /**
   * Compares the digest of a peer with what is known here. Returns the sequence to confirm, if it is to be confirmed
   * again.
   */
  digestReceived(from: EndpointId, reader: FrameReader): number | null {
    const digest = readDigest(reader);
    const peer = this.peers.get(from);
    if (peer === undefined) return null;
    this.options.durableCompared(from, digest.durable);
    if (peer.isCollecting(this.clock.now(), askAgainMilliseconds)) return null;
    if (peer.sequence !== digest.sequence) this.ask(peer, peer.sequence > digest.sequence);
    else if (!peer.digest.equals(digest.routes)) this.ask(peer, true);
    else if (digest.wantsConfirm) return peer.sequence;
    return null;
  }

  private ask(peer: PeerRoutes, isWhole: boolean): void {
    const now = this.clock.now();
    if (peer.isCollecting(now, askAgainMilliseconds) || now - peer.askedAt < askAgainMilliseconds) return;
    peer.askedAt = now;
    this.options.metrics.routeRepairs++;
    const writer = new FrameWriter();
    writeWanted(writer, Math.max(peer.sequence, 0), isWhole || !peer.isComplete);
    this.options.send(peer.endpoint, writer.take());
  }

  /** Sends a peer the changes that it has lost. */
  wanted(from: EndpointId, reader: FrameReader): void {
    const { sequence, isWhole } = readWanted(reader);
    if (!this.peers.has(from)) return;
    this.flush();
    const frames = isWhole ? null : this.own.framesAfter(sequence);
    if (frames === null) this.snapshots.sendTo(from);
    else for (const bytes of frames) this.options.send(from, bytes);
  }

  /** The backplane was disconnected and is connected again. */
  reconnected(): void {
    this.sendDigest(null);
  }

  private compare(): void {
    this.sendDigest(null);
    for (const peer of this.peers.values()) if (!peer.isComplete) this.ask(peer, true);
  }

  /** Returns whether a confirmation is awaited. */
  private tick(): boolean {
    this.barrier.giveUpLate();
    const now = this.clock.now();
    if (now - this.lastDigestAt >= waitedForMilliseconds && this.barrier.hasWaited(waitedForMilliseconds)) {
      this.lastDigestAt = now;
      for (const peer of this.peers.values()) if (peer.confirmed < this.own.sequence) this.sendDigest(peer.endpoint);
    }
    return this.barrier.isWaitedFor;
  }

  private sendDigest(to: EndpointId | null): void {
    if (this.peers.size === 0) return;
    this.flush();
    const writer = new FrameWriter();
    writeDigest(writer, {
      sequence: this.own.sequence,
      wantsConfirm: this.barrier.isWaitedFor,
      routes: this.own.digest,
      durable: this.options.durableDigest(),
    });
    this.options.send(to, writer.take());
  }

  /** Resolves when every known endpoint has sent its whole set. */
  snapshotsReceived(): Promise<void> {
    if (this.snapshotsComplete()) return Promise.resolve();
    return new Promise((done) => this.snapshotWaiters.push(done));
  }

  private snapshotsComplete(): boolean {
    for (const peer of this.peers.values()) if (!peer.isComplete) return false;
    return true;
  }

  private wakeSnapshots(): void {
    if (this.snapshotWaiters.length > 0 && this.snapshotsComplete())
      for (const done of this.snapshotWaiters.splice(0)) done();
  }
}
