import type { StoreError } from '@dunlin/broker';

/** While nothing can be written, it is tried so often whether it can again: whoever waits tries by himself, but there may be nobody. */
const probeMilliseconds = 1000;

/**
 * Whether what is written gets to the disk. A disk that is full, read-only or broken refuses every commit, whoever asks; what was committed is there, and can be read.
 */
export class WriteWatch {
  private readonly changed: (failure: StoreError | null) => void;
  private readonly probe: () => Promise<unknown>;
  private timer: NodeJS.Timeout | null = null;

  /** `changed`: called with the first failure, and with null when a write has succeeded after it. `probe`: writes something small. */
  constructor(changed: (failure: StoreError | null) => void, probe: () => Promise<unknown>) {
    this.changed = changed;
    this.probe = probe;
  }

  committed(failure: StoreError | null): void {
    if (failure === null) {
      if (this.timer === null) return;
      this.stop();
      this.changed(null);
      return;
    }
    if (this.timer !== null) return;
    // Its result comes back to `committed`.
    this.timer = setInterval(() => void this.probe().catch(() => undefined), probeMilliseconds);
    this.changed(failure);
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }
}
