/**
 * Memory of the node as a whole: the net beneath all other limits. Its supervisor measures it and writes the level into
 * memory that all workers read; see docs/memory.md.
 */
export const memoryLevels = { normal: 0, high: 1, critical: 2 } as const;
export type MemoryLevelNumber = (typeof memoryLevels)[keyof typeof memoryLevels];

const levelAt = 0;
const percentAt = 1;

export function newMemoryLevel(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
}

export class MemoryLevel {
  private readonly cells: Int32Array;

  /** `memory`: shared by the threads of a node. */
  constructor(memory: SharedArrayBuffer = newMemoryLevel()) {
    this.cells = new Int32Array(memory);
  }

  set(level: MemoryLevelNumber, usedPercent: number): void {
    this.measured(usedPercent);
    Atomics.store(this.cells, levelAt, level);
  }

  /** Notes what is in use at this moment, garbage included: the level may rise once that was collected, no sooner. */
  measured(usedPercent: number): void {
    Atomics.store(this.cells, percentAt, Math.round(usedPercent));
  }

  /** True from this share on, whether or not it is garbage: nothing should grow that may be dropped. */
  isScarce(percent: number): boolean {
    return Atomics.load(this.cells, percentAt) >= percent;
  }

  /** No new connections and subscriptions. */
  get isHigh(): boolean {
    return Atomics.load(this.cells, levelAt) >= memoryLevels.high;
  }

  /** The largest buffers go, and nothing waits that may be dropped. */
  get isCritical(): boolean {
    return Atomics.load(this.cells, levelAt) === memoryLevels.critical;
  }

  /** Reason of a refusal, in words for the client: what is refused, and why. */
  refusal(refused: 'connections' | 'subscriptions', highPercent: number): string {
    const percent = Atomics.load(this.cells, percentAt);
    return `memory is ${percent} % full; from limits.memoryHighPercent (${highPercent}) on no new ${refused}`;
  }
}
