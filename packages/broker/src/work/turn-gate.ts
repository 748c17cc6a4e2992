import type { Clock } from '../ports/clock.ts';

/** Lets so many through in a turn of the event loop; the others wait for the next ones, in their order. */
export class TurnGate {
  private readonly clock: Clock;
  private readonly perTurn: number;
  private left: number;
  private waiting: (() => void)[] = [];
  private isScheduled = false;

  constructor(clock: Clock, perTurn: number) {
    this.clock = clock;
    this.perTurn = perTurn;
    this.left = perTurn;
  }

  /** Resolves when it is this one's turn. */
  pass(): Promise<void> {
    this.schedule();
    if (this.left > 0) {
      this.left--;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.clock.nextTurn(() => this.nextTurn());
  }

  private nextTurn(): void {
    this.isScheduled = false;
    const passing = this.waiting.splice(0, this.perTurn);
    this.left = this.perTurn - passing.length;
    // As long as some pass: whoever comes in this turn must not be one more.
    if (passing.length > 0) this.schedule();
    for (const pass of passing) pass();
  }
}
