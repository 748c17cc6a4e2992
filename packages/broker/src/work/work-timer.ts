/** A timer that runs while there is something to look after: a worker at rest is not woken for nothing. */
import type { Clock } from '../ports/clock.ts';

export class WorkTimer {
  private readonly clock: Clock;
  private readonly milliseconds: number;
  private readonly tick: () => boolean;
  private stop: (() => void) | null = null;

  /** `tick` returns whether there is anything left to look after. */
  constructor(clock: Clock, milliseconds: number, tick: () => boolean) {
    this.clock = clock;
    this.milliseconds = milliseconds;
    this.tick = tick;
  }

  /** Starts the timer, since there is something. Returns false if it runs already. */
  start(): boolean {
    if (this.stop !== null) return false;
    this.stop = this.clock.every(this.milliseconds, () => {
      if (this.tick()) return;
      this.stop?.();
      this.stop = null;
    });
    return true;
  }
}
