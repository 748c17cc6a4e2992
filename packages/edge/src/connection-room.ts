/** The most, then what each worker has. */
const mostAt = 0;
const firstWorkerAt = 1;
const noMost = 0x7fffffff;

/** Shared by the threads of a node: how many connections its workers have, and may have together. */
export function newConnectionCounts(workers: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer((firstWorkerAt + workers) * Int32Array.BYTES_PER_ELEMENT);
  new Int32Array(memory)[mostAt] = noMost;
  return memory;
}

export function limitConnections(memory: SharedArrayBuffer, most: number): void {
  Atomics.store(new Int32Array(memory), mostAt, Math.min(most, noMost));
}

/**
 * Room for connections, of which all workers of a process have so much together as it may open files. Without it the system would refuse, and nobody would hear of
 * it: libuv closes what it cannot take.
 */
export class ConnectionRoom {
  readonly #counts: Int32Array;
  readonly #own: number;

  /** `worker`: its place. Who sat there before has ended, with all its connections. */
  constructor(memory: SharedArrayBuffer, worker: number) {
    this.#counts = new Int32Array(memory);
    this.#own = firstWorkerAt + worker;
    Atomics.store(this.#counts, this.#own, 0);
  }

  /** True when a connection may stay; it counts until it leaves, either way. */
  enter(): boolean {
    Atomics.add(this.#counts, this.#own, 1);
    const { open, most } = this.fullness;
    return open <= most;
  }

  leave(): void {
    Atomics.sub(this.#counts, this.#own, 1);
  }

  get fullness(): { open: number; most: number } {
    let open = 0;
    for (let at = firstWorkerAt; at < this.#counts.length; at++) open += Atomics.load(this.#counts, at);
    return { open, most: Atomics.load(this.#counts, mostAt) };
  }
}
