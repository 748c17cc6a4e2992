/**
 * Token buckets by a key that clients choose (a network, an account), shared by the workers of a node and in bounded
 * memory.
 *
 * Of each bucket there is one number: when it will be full again. A token moves that moment on by the time that one
 * token takes to come; where it would lie further ahead than a whole bucket takes, there is no token.
 *
 * A bucket has its own place, with a tag of the key beside the moment, so that two keys do not share tokens. A full
 * bucket is the same as none, and its place goes to the next key. Where all places of a set are in use, the fullest of
 * them is forgotten: its client gets tokens too early, and nobody too late.
 */
import { randomBytes } from 'node:crypto';
import { fnvOfText, mixedHash } from '@dunlin/protocol/fnv';

const setBits = 13;
const sets = 1 << setBits;
/** Places of a set. */
const ways = 4;
const places = sets * ways;
const seedAt = places;

/** Units of the moments: 40 bits of them are two years, so that a moment of days ago does not look as if it were to come. */
const unitsPerMillisecond = 16;
const momentBits = 40;
const moments = 2 ** momentBits;
/** The other bits of a place. */
const tagBits = 24;
const tagShift = BigInt(momentBits);
const aheadMax = 2 ** 30;
/** Debt that a bucket remembers, in milliseconds: who spent far too much waits for a bounded time. */
const debtMaxMilliseconds = 60_000;

const sharedRatesBytes = (places + 1) * BigInt64Array.BYTES_PER_ELEMENT;

export function newSharedRates(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(sharedRatesBytes);
  new BigInt64Array(memory)[seedAt] = randomBytes(8).readBigInt64LE();
  return memory;
}

/** Token bucket of a key as it was read. */
interface Place {
  at: number;
  /** Content of the place, for the exchange. */
  known: bigint;
  /** Units until it is full. */
  missing: number;
}

export class SharedRates {
  private readonly entries: BigInt64Array;
  private readonly seed: number;
  private readonly tagSeed: number;

  constructor(memory: SharedArrayBuffer) {
    this.entries = new BigInt64Array(memory);
    const seeds = this.entries[seedAt];
    this.seed = Number(BigInt.asUintN(32, seeds));
    this.tagSeed = Number(BigInt.asUintN(32, seeds >> 32n));
  }

  /**
   * True when there was a token, which is gone now.
   *
   * @param perSecond tokens that come in a second
   * @param burst tokens that a full bucket has
   * @param now milliseconds since 1970
   */
  take(key: string, perSecond: number, burst: number, now: number): boolean {
    const each = unitsOf(1000 / perSecond);
    const whole = unitsOf((1000 * burst) / perSecond);
    const more = (missing: number): number | null => (missing + each > whole ? null : missing + each);
    return this.change(key, now, mostMissing(whole), more) !== null;
  }

  /** True when there is a token, which stays. */
  has(key: string, perSecond: number, burst: number, now: number): boolean {
    const whole = unitsOf((1000 * burst) / perSecond);
    const each = unitsOf(1000 / perSecond);
    let isThere = false;
    this.change(key, now, mostMissing(whole), (missing) => {
      isThere = missing + each <= whole;
      return null;
    });
    return isThere;
  }

  /**
   * Takes tokens that were spent already, also those that the bucket does not have yet.
   *
   * @returns milliseconds until the bucket has tokens again, at most a minute; 0: it has
   */
  spend(key: string, count: number, perSecond: number, burst: number, now: number): number {
    const cost = unitsOf((1000 * count) / perSecond);
    const whole = unitsOf((1000 * burst) / perSecond);
    const most = mostMissing(whole);
    const missing = this.change(key, now, most, (before) => Math.min(before + cost, most)) ?? 0;
    return missing <= whole ? 0 : (missing - whole) / unitsPerMillisecond;
  }

  /** Gives a token back that was taken at the same rate. */
  giveBack(key: string, perSecond: number, now: number): void {
    this.change(key, now, aheadMax, (missing) => Math.max(0, missing - unitsOf(1000 / perSecond)));
  }

  /**
   * Changes what is missing from the bucket of a key; null: leaves it. Returns what is missing then. More than `most`
   * cannot be missing: then the clock was set back, and nothing is.
   */
  private change(key: string, now: number, most: number, next: (missing: number) => number | null): number | null {
    const first = (mixedHash(fnvOfText(key, this.seed)) & (sets - 1)) * ways;
    const tag = mixedHash(fnvOfText(key, this.tagSeed)) >>> (32 - tagBits);
    const nowUnits = Math.trunc(now * unitsPerMillisecond) % moments;
    for (;;) {
      const place = this.find(first, tag, nowUnits);
      const missing = next(place.missing > most ? 0 : place.missing);
      if (missing === null) return null;
      const moment = BigInt((nowUnits + missing) % moments);
      const entry = BigInt.asIntN(64, (BigInt(tag) << tagShift) | moment);
      if (Atomics.compareExchange(this.entries, place.at, place.known, entry) === place.known) return missing;
    }
  }

  /** Finds the place of a tag, or the one that it gets: the fullest of its set. */
  private find(first: number, tag: number, nowUnits: number): Place {
    let fullest: Place = { at: first, known: 0n, missing: Number.POSITIVE_INFINITY };
    for (let at = first; at < first + ways; at++) {
      const known = Atomics.load(this.entries, at);
      const ahead = (Number(BigInt.asUintN(momentBits, known)) - nowUnits + moments) % moments;
      // Further ahead than any can be: it is behind, and the bucket is full. Where nothing was ever written, there is none.
      const missing = known === 0n || ahead > aheadMax ? 0 : ahead;
      if (Number(BigInt.asUintN(tagBits, known >> tagShift)) === tag) return { at, known, missing };
      if (missing < fullest.missing) fullest = { at, known, missing };
    }
    return { ...fullest, missing: 0 };
  }
}

/** The most that can be missing: a whole bucket, and the debt of who spent more. */
function mostMissing(whole: number): number {
  return Math.min(whole + debtMaxMilliseconds * unitsPerMillisecond, aheadMax);
}

/** At least one: a rate is never without bound. */
function unitsOf(milliseconds: number): number {
  return Math.max(1, Math.min(Math.round(milliseconds * unitsPerMillisecond), aheadMax));
}
