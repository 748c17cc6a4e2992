/**
 * Writes to the store that nobody waits for until the worker stops: sessions written back, wills. While the store is not available they are
 * kept and tried again, in their order. There are as many as connections that have ended meanwhile, so `connectionsMax` bounds them.
 */
import type { Clock } from '../ports/clock.ts';
import type { LogEvent, Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import { StoreError } from '../ports/store-error.ts';

const retryMilliseconds = 1000;

/** Log event of a write that failed. */
type WriteFailed = LogEvent<'warn', 'error' | 'again'>;

interface PendingWrite {
  failed: WriteFailed;
  write: () => Promise<unknown>;
}

export class PendingWrites {
  private readonly logger: Logger;
  private readonly metrics: Metrics;
  private readonly underWay = new Set<Promise<void>>();
  private failed: PendingWrite[] = [];
  private stopping = false;

  constructor(clock: Clock, logger: Logger, metrics: Metrics) {
    this.logger = logger;
    this.metrics = metrics;
    clock.every(retryMilliseconds, () => this.retry());
  }

  get length(): number {
    return this.underWay.size + this.failed.length;
  }

  /** `failed` is logged when it fails. `write` is called again when the store was not available, so it must be one that may be done twice. */
  add(failed: WriteFailed, write: () => Promise<unknown>): void {
    this.start({ failed, write });
  }

  private start(pending: PendingWrite): void {
    const watched: Promise<void> = pending.write().then(
      () => {
        this.underWay.delete(watched);
      },
      (error: unknown) => {
        this.underWay.delete(watched);
        this.metrics.storeErrors++;
        const again = !this.stopping && error instanceof StoreError && error.code === 'unavailable';
        this.logger.warn(pending.failed, { error, again });
        if (again) this.failed.push(pending);
      },
    );
    this.underWay.add(watched);
  }

  private retry(): void {
    const failed = this.failed;
    this.failed = [];
    for (const pending of failed) this.start(pending);
  }

  /** Resolves when all are through. What fails from now on is not tried again: a worker must be able to stop without its store. */
  async idle(): Promise<void> {
    this.stopping = true;
    this.retry();
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }
}
