import { MemoryLevel, memoryLevels, newMemoryLevel } from '@dunlin/broker/guards';
import type { Logger } from '@dunlin/broker/ports';
import type { Configuration } from '@dunlin/config';
import type { NodeFigures } from '@dunlin/telemetry';
import { giveBackNow } from './freed-memory.ts';
import { anonymousBytes, MemoryWatch } from './memory-watch.ts';
import { memoryLimitBytes } from './node-limits.ts';
import type { NodeStatus } from './node-status.ts';

/** Threads that hold the memory. */
interface Workers {
  collect(isUrgent: boolean): Promise<void>;
  shed(bytes: number): void;
}

/** The memory of a node: its watch, and the level that its workers read. */
export class NodeMemory {
  /** Shared with the workers. */
  readonly level = newMemoryLevel();
  readonly limitBytes: number;
  readonly #watch: MemoryWatch;

  constructor(configuration: Configuration, logger: Logger, readiness: NodeStatus, workers: () => Workers) {
    const { memoryHighPercent: highPercent, memoryCriticalPercent: criticalPercent } = configuration.limits;
    const shared = new MemoryLevel(this.level);
    this.limitBytes = memoryLimitBytes(configuration);
    this.#watch = new MemoryWatch({
      ...{ limitBytes: this.limitBytes, highPercent, criticalPercent, logger },
      usedBytes: anonymousBytes,
      now: () => performance.now(),
      collect: async (isUrgent) => {
        await workers().collect(isUrgent);
        giveBackNow();
      },
      shed: (bytes) => workers().shed(bytes),
      measured: (usedPercent) => shared.measured(usedPercent),
      changed: (level, usedPercent) => {
        shared.set(level, usedPercent);
        readiness.set({ memory: level !== memoryLevels.normal });
      },
    });
  }

  get figures(): Pick<NodeFigures, 'memoryLimitBytes' | 'anonymousBytes' | 'residentBytes'> {
    const residentBytes = process.memoryUsage.rss();
    return { memoryLimitBytes: this.limitBytes, anonymousBytes: anonymousBytes(), residentBytes };
  }

  start(): void {
    this.#watch.start();
  }

  stop(): void {
    this.#watch.stop();
  }
}
