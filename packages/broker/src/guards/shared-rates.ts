/**
 * Token buckets by a key that clients choose (a network, an account), shared by the workers of a node and in bounded memory.
 *
 * Of each bucket there is one number: when it will be full again. A token moves that moment on by the time that one token takes to come; where it
 * would lie further ahead than a whole bucket takes, there is no token. Keys find their bucket by a hash; two that share one share its tokens.
 */
import { randomBytes } from 'node:crypto';
import { fnvOfText, mixedHash } from '@dunlin/protocol/fnv';

const slotBits = 14;
const slots = 1 << slotBits;
const seedAt = slots;

/** Units of the moments: 32 bits of them are three days. */
const unitsPerMillisecond = 16;

const sharedRatesBytes = (slots + 1) * Int32Array.BYTES_PER_ELEMENT;

export function newSharedRates(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(sharedRatesBytes);
  new Int32Array(memory)[seedAt] = randomBytes(4).readInt32LE();
  return memory;
}

export class SharedRates {
  private readonly full: Int32Array;
  private readonly seed: number;

  constructor(memory: SharedArrayBuffer) {
    this.full = new Int32Array(memory);
    this.seed = this.full[seedAt] >>> 0;
  }

  /**
   * True when there was a token, which is gone now.
   *
   * @param perSecond tokens that come in a second
   * @param burst tokens that a full bucket has
   * @param now milliseconds since 1970
   */
  take(key: string, perSecond: number, burst: number, now: number): boolean {
    const slot = this.slotOf(key);
    const each = unitsOf(1000 / perSecond);
    const whole = unitsOf((1000 * burst) / perSecond);
    const nowUnits = Math.trunc(now * unitsPerMillisecond) | 0;
    for (;;) {
      const known = Atomics.load(this.full, slot);
      const ahead = (known - nowUnits) | 0;
      // Behind: it is full. Further ahead than it can be: the clock was set back, or the moment is days old.
      const missing = ahead < 0 || ahead > whole ? 0 : ahead;
      if (missing + each > whole) return false;
      if (Atomics.compareExchange(this.full, slot, known, (nowUnits + missing + each) | 0) === known) return true;
    }
  }

  /** Gives a token back that was taken at the same rate. */
  giveBack(key: string, perSecond: number): void {
    Atomics.sub(this.full, this.slotOf(key), unitsOf(1000 / perSecond));
  }

  private slotOf(key: string): number {
    return mixedHash(fnvOfText(key, this.seed)) & (slots - 1);
  }
}

/** At least one: a rate is never without bound. */
function unitsOf(milliseconds: number): number {
  return Math.max(1, Math.min(Math.round(milliseconds * unitsPerMillisecond), 2 ** 30));
}
