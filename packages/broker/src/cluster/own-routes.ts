/**
 * Routes of this endpoint, as the others are to know them: the set, its numbered changes, and what is needed to send
 * them again (ARCHITECTURE.md, section 5).
 */

import { SetDigest } from '../logs/set-digest.ts';
import { FrameWriter } from '../message/wire.ts';
import type { SharedGroup } from '../subscriptions/shared-subscriptions.ts';
import type { FilterEntry } from '../subscriptions/subscription-tree.ts';
import { type RouteChange, writeRoutes } from './frames.ts';
import { liveSalt, loggedSalt, saltOfGroup } from './peer-routes.ts';

/**
 * Frames of changes that are kept for endpoints that lost some: a short interruption costs those, not the whole set.
 */
const recentBytesMax = 256 * 1024;

export interface OwnRoute {
  /** Immutable: a whole set that is being sent holds it. */
  readonly change: RouteChange;
  /** Null: a group. */
  readonly entry: FilterEntry | null;
}

export class OwnRoutes {
  readonly routes = new Map<string, OwnRoute>();
  readonly digest = new SetDigest();
  /** Sequence of the last frame of changes. */
  sequence = 0;
  private pending: RouteChange[] = [];
  private recent: { sequence: number; bytes: Uint8Array }[] = [];
  private recentBytes = 0;

  /** Recomputes the route of a filter. Returns whether others must know. */
  filterChanged(entry: FilterEntry): boolean {
    const isFollowed = entry.logged.length > 0 || (entry.log !== null && entry.log.readers.length > 0);
    const kind = entry.subscriptions.length > 0 ? 'add' : isFollowed ? 'logged' : 'remove';
    const known = this.routes.get(entry.filter);
    if ((known?.change.kind ?? 'remove') === kind) return false;
    this.set({ kind, filter: entry.filter, count: 0 }, entry);
    return true;
  }

  groupChanged(group: SharedGroup): void {
    const logged = group.loggedMembers.members.length;
    this.set({ kind: 'group', filter: group.name, count: group.members.length, logged }, null);
  }

  private set(change: RouteChange, entry: FilterEntry | null): void {
    const { filter } = change;
    const known = this.routes.get(filter);
    if (known !== undefined) this.digest.remove(filter, saltOf(known.change));
    if (change.kind === 'remove' || (change.kind === 'group' && change.count === 0)) {
      this.routes.delete(filter);
    } else {
      this.routes.set(filter, { change, entry });
      this.digest.add(filter, saltOf(change));
    }
    this.pending.push(change);
  }

  announce(change: RouteChange): void {
    this.pending.push(change);
  }

  get hasPending(): boolean {
    return this.pending.length > 0;
  }

  /** Discards the changes: there is no other endpoint, and one that joins gets the whole set. */
  forgetPending(): void {
    this.pending = [];
  }

  /** Frames of the changes since the last ones; an empty frame if there are none. */
  takeFrames(): Uint8Array[] {
    const changes = this.pending;
    this.pending = [];
    const frames: Uint8Array[] = [];
    let at = 0;
    do {
      const writer = new FrameWriter();
      at = writeRoutes(writer, ++this.sequence, changes, at);
      frames.push(this.remember(writer.take()));
    } while (at < changes.length);
    return frames;
  }

  private remember(bytes: Uint8Array): Uint8Array {
    this.recent.push({ sequence: this.sequence, bytes });
    this.recentBytes += bytes.length;
    while (this.recentBytes > recentBytesMax) this.recentBytes -= this.recent.shift()?.bytes.length ?? 0;
    return bytes;
  }

  /** Frames of all changes after this one, or null if some are no longer kept. */
  framesAfter(sequence: number): Uint8Array[] | null {
    const first = this.recent[0]?.sequence ?? this.sequence + 1;
    if (sequence + 1 < first || sequence > this.sequence) return null;
    return this.recent.slice(sequence + 1 - first).map((frame) => frame.bytes);
  }
}

function saltOf(change: RouteChange): number {
  if (change.kind === 'group') return saltOfGroup(change.count, change.logged ?? 0);
  return change.kind === 'logged' ? loggedSalt : liveSalt;
}
