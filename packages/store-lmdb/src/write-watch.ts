import type { StoreError } from '@dunlin/broker';

/**
 * Interval of attempts to write while nothing can be written: whoever waits tries by himself, but there may be nobody.
 */
const probeMilliseconds = 1000;

/**
 * Watch over whether writes get to the disk. A disk that is full, read-only or broken refuses every commit, whoever
 * asks; what was committed is there, and can be read.
 */
export class WriteWatch {
  private readonly changed: (failure: StoreError | null) => void;
  private readonly probe: () => Promise<unknown>;
  private timer: NodeJS.Timeout | null = null;

  /**
   * `changed`: called with the first failure, and with null when there is room again. `probe`: writes something of a size that needs room: what is small, or adds nothing, gets
   * through on a full disk now and then, and says nothing.
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
