/**
 * Limit of refusals that are written into the log: of one network so many a second, and of all together. All workers of
 * a node count in the same memory, since a client's connections are spread over them.
 *
 * A slot holds the second and how often it was taken in it. Networks find theirs by a hash, so the memory is bounded however many knock; two that share one share what
 * may be said of them. The first slot is everybody's.
 */

const slots = 4096;
const countBits = 8;
const countMask = (1 << countBits) - 1;
const secondMask = (1 << (31 - countBits)) - 1;

/** Lines a second of one network. */
const networkMax = 10;
/** … and of all: what a log can take from many who knock at once. */
const nodeMax = 200;

/** A busy worker may be so far behind; more is a clock that was set back, or a second of long ago. */
const secondsBehindMax = 5;

export const refusalMemoryBytes = slots * Int32Array.BYTES_PER_ELEMENT;

export class RefusalAllowance {
  private readonly slots: Int32Array;

  /** `memory`: of `refusalMemoryBytes`, what the workers of a node share; without it, this one is alone. */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(refusalMemoryBytes)) {
    this.slots = new Int32Array(memory);
  }

  /** Takes one refusal of this network in this second; true: it may be logged. */
  take(network: string, nowSecond: number): boolean {
    return this.takeOf(slotOf(network), networkMax, nowSecond) && this.takeOf(0, nodeMax, nowSecond);
  }

  private takeOf(slot: number, most: number, nowSecond: number): boolean {
    const second = nowSecond & secondMask;
    for (;;) {
      const known = Atomics.load(this.slots, slot);
      const knownSecond = known >>> countBits;
      const count = known & countMask;
      // Workers come to the next second one after the other: one that is behind counts with those that are not.
      const isNew = ((knownSecond - second) & secondMask) > secondsBehindMax;
      if (!isNew && count >= most) return false;
      const next = isNew ? (second << countBits) | 1 : known + 1;
      if (Atomics.compareExchange(this.slots, slot, known, next) === known) return true;
    }
  }
}

/** FNV-1a over the characters; not 0. */
function slotOf(network: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < network.length; i++) hash = Math.imul(hash ^ network.charCodeAt(i), 0x01000193);
  return 1 + ((hash >>> 0) % (slots - 1));
}
