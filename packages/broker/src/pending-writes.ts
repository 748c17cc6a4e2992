/** Writes to the store that nobody waits for until the worker stops. */
import type { Logger } from './ports/logger.ts';
import type { Metrics } from './ports/metrics.ts';

export class PendingWrites {
  private readonly logger: Logger;
  private readonly metrics: Metrics;
  private readonly writes = new Set<Promise<void>>();

  constructor(logger: Logger, metrics: Metrics) {
    this.logger = logger;
    this.metrics = metrics;
  }

  /** `what` is said in the log when it fails. */
  add(what: string, write: Promise<unknown>): void {
    const watched: Promise<void> = write.then(
      () => {
        this.writes.delete(watched);
      },
      (error: unknown) => {
        this.writes.delete(watched);
        this.metrics.storeErrors++;
        this.logger.warn(`${what} failed`, { error: String(error) });
      },
    );
    this.writes.add(watched);
  }

  async idle(): Promise<void> {
    while (this.writes.size > 0) await Promise.all(this.writes);
  }
}
