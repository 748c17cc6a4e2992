/**
 * Counts by a key that clients choose (a network, an account), over all workers of a node and in bounded memory.
 *
 * Each worker counts in a part of its own, so that the counts of one that died can be forgotten. A key has a place in
 * each of two rows; two keys would have to meet in both to be counted as one. So a row has more places than there may be
 * keys: else each of them would share its places with others, and nobody would have as little as they have.
 */
import { randomBytes } from 'node:crypto';
import { fnvOfText, mixedHash } from '@dunlin/protocol/fnv';
import type { Limits } from '../ports/limits.ts';

/** Places of a row: at least 2^14, and no more than 4 MiB of them. */
const rowBitsMin = 14;
const rowBitsMax = 20;
/** Places for each key, so that two seldom meet. */
const placesPerKey = 2;
/** The seed stands before the workers' parts: else somebody could look for keys that meet another's. */
const seedAt = 0;
const rowBitsAt = 1;
const workersAt = 2;

/**
 * Memory for as many workers; of the pages that nobody counts in, the system keeps none.
 *
 * @param keys as many as there may be with a count at the same time
 */
export function newSharedCounts(workers: number, keys = 0): SharedArrayBuffer {
  const wanted = Math.ceil(Math.log2(Math.max(1, keys * placesPerKey)));
  const rowBits = Math.min(Math.max(wanted, rowBitsMin), rowBitsMax);
  const memory = new SharedArrayBuffer((workersAt + workers * 2 * 2 ** rowBits) * Int32Array.BYTES_PER_ELEMENT);
  const words = new Int32Array(memory);
  words[seedAt] = randomBytes(4).readInt32LE();
  words[rowBitsAt] = rowBits;
  return memory;
}

/**
 * Places for each user that there may be, of whose subscriptions number and bytes are counted: two users seldom share
 * theirs, and then have to share what one may have.
 */
const keysPerUser = 8;

/**
 * Counts of subscriptions, for as many workers.
 *
 * @param clients as many as there may be at the node: each may be a user
 */
export function newSubscriptionCounts(workers: number, limits: Limits, clients: number): SharedArrayBuffer {
  // Bytes alone are compared with half of what the node has: some users that are counted as one do not matter there.
  return newSharedCounts(workers, limits.subscriptionsPerUserMax === 0 ? 0 : clients * keysPerUser);
}

export class SharedCounts {
  private readonly counts: Int32Array;
  private readonly rowBits: number;
  private readonly rowSlots: number;
  private readonly own: number;
  private readonly seed: number;

  /** `worker`: its place. Whoever sat there before has ended, with all that was counted. */
  constructor(memory: SharedArrayBuffer, worker: number) {
    this.counts = new Int32Array(memory);
    this.seed = this.counts[seedAt] >>> 0;
    this.rowBits = this.counts[rowBitsAt];
    this.rowSlots = 2 ** this.rowBits;
    this.own = workersAt + worker * 2 * this.rowSlots;
    this.forget();
  }

  /** Counts one more, or so many. Returns how many there are now, at all workers. */
  enter(key: string, amount = 1): number {
    const hash = this.hashOf(key);
    Atomics.add(this.counts, this.own + this.firstOf(hash), amount);
    Atomics.add(this.counts, this.own + this.secondOf(hash), amount);
    return this.countOf(hash);
  }

  /** Counts one less, or so many: once for each `enter`. */
  leave(key: string, amount = 1): void {
    const hash = this.hashOf(key);
    Atomics.sub(this.counts, this.own + this.firstOf(hash), amount);
    Atomics.sub(this.counts, this.own + this.secondOf(hash), amount);
  }

  count(key: string): number {
    return this.countOf(this.hashOf(key));
  }

  private hashOf(key: string): number {
    return mixedHash(fnvOfText(key, this.seed));
  }

  private countOf(hash: number): number {
    const [first, second] = [this.firstOf(hash), this.secondOf(hash)];
    let inFirst = 0;
    let inSecond = 0;
    for (let at = workersAt; at < this.counts.length; at += 2 * this.rowSlots) {
      inFirst += Atomics.load(this.counts, at + first);
      inSecond += Atomics.load(this.counts, at + second);
    }
    return Math.min(inFirst, inSecond);
  }

  private firstOf(hash: number): number {
    return hash & (this.rowSlots - 1);
  }

  /** The bits above those of the first, as far as there are some: of large rows both use some of them. */
  private secondOf(hash: number): number {
    return this.rowSlots + (mixedHash(hash + 1) & (this.rowSlots - 1));
  }

  /** Page by page, and without a write to those that hold nothing: those take no memory. */
  private forget(): void {
    const end = this.own + 2 * this.rowSlots;
    for (let at = this.own; at < end; at++) if (this.counts[at] !== 0) this.counts[at] = 0;
  }
}
