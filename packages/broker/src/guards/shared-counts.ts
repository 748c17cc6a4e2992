/**
 * Counts by a key that clients choose (a network, an account), over all workers of a node and in bounded memory.
 *
 * Each worker counts in a part of its own, so that the counts of one that died can be forgotten. A key has a place in
 * each of two rows; two keys would have to meet in both to be counted as one.
 */
import { randomBytes } from 'node:crypto';
import { fnvOfText, mixedHash } from '@dunlin/protocol/fnv';

const rowBits = 14;
const rowSlots = 1 << rowBits;
const rowMask = rowSlots - 1;
const workerSlots = 2 * rowSlots;
/** The seed stands before the workers' parts: else somebody could look for keys that meet another's. */
const seedAt = 0;
const workersAt = 1;

/** Memory for as many workers; of the pages that nobody counts in, the system keeps none. */
export function newSharedCounts(workers: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer((workersAt + workers * workerSlots) * Int32Array.BYTES_PER_ELEMENT);
  new Int32Array(memory)[seedAt] = randomBytes(4).readInt32LE();
  return memory;
}

export class SharedCounts {
  private readonly counts: Int32Array;
  private readonly own: number;
  private readonly seed: number;

  /** `worker`: its place. Whoever sat there before has ended, with all that was counted. */
  constructor(memory: SharedArrayBuffer, worker: number) {
    this.counts = new Int32Array(memory);
    this.seed = this.counts[seedAt] >>> 0;
    this.own = workersAt + worker * workerSlots;
    this.counts.fill(0, this.own, this.own + workerSlots);
  }

  /** Counts one more, or so many. Returns how many there are now, at all workers. */
  enter(key: string, amount = 1): number {
    const hash = this.hashOf(key);
    Atomics.add(this.counts, this.own + firstOf(hash), amount);
    Atomics.add(this.counts, this.own + secondOf(hash), amount);
    return this.countOf(hash);
  }

  /** Counts one less, or so many: once for each `enter`. */
  leave(key: string, amount = 1): void {
    const hash = this.hashOf(key);
    Atomics.sub(this.counts, this.own + firstOf(hash), amount);
    Atomics.sub(this.counts, this.own + secondOf(hash), amount);
  }

  count(key: string): number {
    return this.countOf(this.hashOf(key));
  }

  private hashOf(key: string): number {
    return mixedHash(fnvOfText(key, this.seed));
  }

  private countOf(hash: number): number {
    const [first, second] = [firstOf(hash), secondOf(hash)];
    let inFirst = 0;
    let inSecond = 0;
    for (let at = workersAt; at < this.counts.length; at += workerSlots) {
      inFirst += Atomics.load(this.counts, at + first);
      inSecond += Atomics.load(this.counts, at + second);
    }
    return Math.min(inFirst, inSecond);
  }
}

function firstOf(hash: number): number {
  return hash & rowMask;
}

function secondOf(hash: number): number {
  return rowSlots + ((hash >>> rowBits) & rowMask);
}
