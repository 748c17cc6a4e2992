/**
 * Lines that the workers of a node have logged: a server that goes away is away for all of them, and one of them speaks
 * for the node. A slot, found by a hash of the line, holds who said it last, and when; two lines that share a slot are
 * both said.
 */
import { fnvOfText } from '@dunlin/broker/ports';

const slots = 1024;
const workerBits = 8;
const workerMask = (1 << workerBits) - 1;
const secondMask = (1 << (31 - workerBits)) - 1;

export const spokenBytes = slots * 2 * Int32Array.BYTES_PER_ELEMENT;

export class SpokenLines {
  readonly #slots: Int32Array;
  readonly #worker: number;

  /** `memory`: of `spokenBytes`, what the workers of a node share; without it, this one is alone. */
  constructor(worker = 0, memory: SharedArrayBuffer = new SharedArrayBuffer(spokenBytes)) {
    this.#worker = worker;
    this.#slots = new Int32Array(memory);
  }

  /** True: it is this worker's to say. False: another has said it within so many seconds. */
  isMine(line: string, withinSeconds: number, nowSeconds: number = Date.now() / 1000): boolean {
    const hash = fnvOfText(line) | 0;
    const slot = 2 * ((hash >>> 0) % slots);
    const second = Math.floor(nowSeconds) & secondMask;
    for (;;) {
      const known = Atomics.load(this.#slots, slot + 1);
      const speaker = (known & workerMask) - 1;
      const age = (second - (known >>> workerBits)) & secondMask;
      const isSame = known !== 0 && Atomics.load(this.#slots, slot) === hash;
      if (isSame && speaker !== this.#worker && age <= withinSeconds) return false;
      const mine = (second << workerBits) | (this.#worker + 1);
      if (Atomics.compareExchange(this.#slots, slot + 1, known, mine) !== known) continue;
      Atomics.store(this.#slots, slot, hash);
      return true;
    }
  }
}
