import type { Clock } from '@dunlin/broker';

interface Entry<Value> {
  readonly value: Value;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** Values that hold for a while, at most so many at the same time: then the oldest one goes. */
export class ExpiringMap<Value> {
  readonly #clock: Clock;
  readonly #sizeMax: number;
  readonly #entries = new Map<string, Entry<Value>>();

  constructor(clock: Clock, sizeMax: number) {
    this.#clock = clock;
    this.#sizeMax = sizeMax;
  }

  /** Undefined: there is none, or it holds no more. */
  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until > this.#clock.now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: Value, until: number): void {
    if (this.#entries.size >= this.#sizeMax) this.#entries.delete(this.#entries.keys().next().value as string);
    this.#entries.set(key, { value, until });
  }
}
