import { refusesWrites } from './reply-error.ts';

/** Whoever waits tries again several times a second: after so long without a refusal there is none. */
const quietMilliseconds = 3000;

/** Whether Redis takes writes: its memory may be full, its disk, or it has too few replicas. It can be read meanwhile, and scripts that free memory run. */
export class WriteRefusals {
  private readonly changed: (failure: Error | null) => void;
  private timer: NodeJS.Timeout | null = null;

  /** `changed`: called with the first refusal, and with null when there was none for a while. */
  constructor(changed: (failure: Error | null) => void) {
    this.changed = changed;
  }

  /** Looks at the error of a call. */
  saw(error: unknown): void {
    if (!refusesWrites(error)) return;
    if (this.timer !== null) {
      this.timer.refresh();
      return;
    }
    this.timer = setTimeout(() => {
      this.timer = null;
      this.changed(null);
    }, quietMilliseconds);
    this.timer.unref();
    this.changed(error as Error);
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
