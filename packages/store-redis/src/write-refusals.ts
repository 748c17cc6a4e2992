import { refusesWrites } from './reply-error.ts';

/** Interval of probes whether Redis accepts writes again: there may be no other writes. */
const probeMilliseconds = 1000;

/**
 * Watch over whether Redis accepts writes: its memory or its disk may be full, or it has too few replicas. It can be
 * read meanwhile, and scripts that free memory run.
 */
export class WriteRefusals {
  private readonly changed: (failure: Error | null) => void;
  private readonly probe: (slot: number) => Promise<unknown>;
  /** Slots where writes were refused: of a Redis Cluster one server may refuse what others take. */
  private readonly slots: Set<number>;
  private timer: NodeJS.Timeout | null;

  /**
   * `changed` is called with the first refusal, and with null when there is none any more. `probe` writes something
   * small to that slot.
   */
  constructor(changed: (failure: Error | null) => void, probe: (slot: number) => Promise<unknown>) {
    this.changed = changed;
    this.probe = probe;
    this.slots = new Set();
    this.timer = null;
  }

  /** Notes the error of a call. */
  saw(error: unknown, slot: number): void {
    if (!refusesWrites(error)) return;
    this.slots.add(slot);
    if (this.timer !== null) return;
    this.timer = setInterval(() => this.try(), probeMilliseconds);
    this.timer.unref();
    this.changed(error as Error);
  }

  private try(): void {
    for (const slot of this.slots)
      this.probe(slot).then(
        () => this.taken(slot),
        () => {}, // It stays as it is: refused, or away.
      );
  }

  private taken(slot: number): void {
    this.slots.delete(slot);
    if (this.slots.size > 0 || this.timer === null) return;
    this.close();
    this.changed(null);
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }
}
