import type { Clock } from '../../src/ports/clock.ts';

interface Timer {
  milliseconds: number;
  at: number;
  callback: () => void;
}

/** Rounds of the real event loop without new work after which everything is said to be at rest. */
const quietRounds = 4;
/** Turns after which those that always have more to do are said to talk in circles. */
const turnsMax = 20_000;

/** Time that stands still until a test moves it. */
export class FakeClock implements Clock {
  time = 1_700_000_000_000;
  private readonly timers = new Set<Timer>();
  private turn: (() => void)[] = [];

  now(): number {
    return this.time;
  }

  /** Timers that run. */
  get timerCount(): number {
    return this.timers.size;
  }

  every(milliseconds: number, callback: () => void): () => void {
    const timer = { milliseconds, at: this.time + milliseconds, callback };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  nextTurn(callback: () => void): void {
    this.turn.push(callback);
  }

  /** Runs one turn: what was asked for until now, and the promises that follow. */
  async turnOnce(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    const callbacks = this.turn;
    this.turn = [];
    for (const callback of callbacks) callback();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Runs turns until nobody has anything to do but wait for time to pass. */
  async settle(): Promise<void> {
    let turns = 0;
    for (let quiet = 0; quiet < quietRounds; ) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.turn.length === 0) {
        quiet++;
        continue;
      }
      quiet = 0;
      if (++turns > turnsMax) throw new Error(`${turnsMax} turns without rest`);
      const callbacks = this.turn;
      this.turn = [];
      for (const callback of callbacks) callback();
    }
  }

  /** Lets time pass: each timer fires when it is due, in order, and what follows from it is done before the next. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.time + milliseconds;
    await this.settle();
    for (;;) {
      let at = end;
      for (const timer of this.timers) if (timer.at < at) at = timer.at;
      this.time = Math.max(this.time, at);
      let fired = false;
      for (const timer of [...this.timers]) {
        if (timer.at > this.time) continue;
        timer.at += timer.milliseconds;
        timer.callback();
        fired = true;
      }
      await this.settle();
      if (!fired && this.time >= end) return;
    }
  }
}
