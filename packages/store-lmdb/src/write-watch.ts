import type { StoreError } from '@dunlin/broker';

/** Interval of probes while writes are refused: calls that wait are tried anyway, but there may be none. */
const probeMilliseconds = 1000;

/**
 * Watch over whether the disk accepts writes. A disk that is full, read-only or broken refuses every commit; committed
 * data is kept and can be read.
 */
export class WriteWatch {
  private readonly changed: (failure: StoreError | null) => void;
  private readonly probe: () => Promise<unknown>;
  private timer: NodeJS.Timeout | null = null;

  /**
   * `changed` is called with the first failure, and with null when there is room again. `probe` writes a record of a
   * size that needs room: a small write, or one that adds nothing, succeeds on a full disk now and then, and shows
   * nothing.
   */
  constructor(changed: (failure: StoreError | null) => void, probe: () => Promise<unknown>) {
    this.changed = changed;
    this.probe = probe;
  }

  failed(failure: StoreError): void {
    if (this.timer !== null) return;
    this.timer = setInterval(() => {
      this.probe().then(
        () => this.succeeded(),
        () => undefined,
      );
    }, probeMilliseconds);
    this.changed(failure);
  }

  private succeeded(): void {
    if (this.timer === null) return;
    this.stop();
    this.changed(null);
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }
}
