/**
 * Signs of life of the workers in shared memory: the second at which each event loop was last seen running, by the clock
 * that all threads of a process share. The supervisor reads them without asking anybody, so a loop that is busy costs
 * the question nothing, and a probe does not fail for a stall that passes.
 */
import { hrtime } from 'node:process';

/**
 * Silence after which a worker counts as stuck for good. A load that stalls a loop for some seconds must not be answered
 * by a restart, which would disconnect everybody: the attack would be the supervisor's.
 */
export const silentSecondsMax = 30;

export function newHeartbeats(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workers * Int32Array.BYTES_PER_ELEMENT);
}

export class Heartbeats {
  readonly #seconds: Int32Array;
  readonly #now: () => number;

  constructor(memory: SharedArrayBuffer, now = () => hrtime()[0]) {
    this.#seconds = new Int32Array(memory);
    this.#now = now;
  }

  /** The event loop of this worker runs, or its thread was started just now. */
  beat(worker: number): void {
    Atomics.store(this.#seconds, worker, this.#now());
  }

  /** True unless the worker has been silent for longer than `silentSecondsMax`. */
  isAlive(worker: number): boolean {
    return this.#now() - Atomics.load(this.#seconds, worker) <= silentSecondsMax;
  }
}
