import type { Clock } from '@dunlin/broker';

/** Clock whose turns the test takes; its time stands still. */
export class TurnClock implements Clock {
  readonly #turns: (() => void)[] = [];

  now(): number {
    return 0;
  }

  every(): () => void {
    return () => undefined;
  }

  nextTurn(callback: () => void): void {
    this.#turns.push(callback);
  }

  turn(): void {
    for (const callback of this.#turns.splice(0)) callback();
  }
}
