/**
 * Limit on the number of refusals in the log: so many a second for one network, and for all together. All workers of a
 * node count in the same memory, since a client's connections are spread over them.
 *
 * A slot holds a second and the count in it. Networks find theirs by a hash, so the memory is bounded however many
 * there are; two that share a slot share its lines. The first slot is for all networks.
 */
import { fnvOfText } from '@dunlin/protocol/fnv';

const slots = 4096;
const countBits = 8;
const countMask = (1 << countBits) - 1;
const secondMask = (1 << (31 - countBits)) - 1;

/** Lines a second for one network. */
const networkMax = 10;
/** Lines a second for all networks: what a log can take during an attack from many addresses. */
const nodeMax = 200;

/** Seconds that a busy worker may be behind; more is a clock that was set back, or a second of long ago. */
const secondsBehindMax = 5;

export const refusalMemoryBytes = slots * Int32Array.BYTES_PER_ELEMENT;

export class RefusalAllowance {
  private readonly slots: Int32Array;

  /** `memory`: of `refusalMemoryBytes`, shared by the workers of a node; without it, this worker is alone. */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(refusalMemoryBytes)) {
    this.slots = new Int32Array(memory);
  }

  /** True if one more line may be written for this network in this second. */
  take(network: string, nowSecond: number): boolean {
    return this.takeOf(slotOf(network), networkMax, nowSecond) && this.takeOf(0, nodeMax, nowSecond);
  }

  private takeOf(slot: number, most: number, nowSecond: number): boolean {
    const second = nowSecond & secondMask;
    for (;;) {
      const known = Atomics.load(this.slots, slot);
      const knownSecond = known >>> countBits;
      const count = known & countMask;
      // Workers reach the next second one after the other: one that is behind counts in the second of the others.
      const isNew = ((knownSecond - second) & secondMask) > secondsBehindMax;
      if (!isNew && count >= most) return false;
      const next = isNew ? (second << countBits) | 1 : known + 1;
      if (Atomics.compareExchange(this.slots, slot, known, next) === known) return true;
    }
  }
}

/** Slot of a network; never 0. */
function slotOf(network: string): number {
  return 1 + (fnvOfText(network) % (slots - 1));
}
