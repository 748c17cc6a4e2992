import { type Store, StoreError } from '../../src/ports/store.ts';

type Method = Exclude<keyof Store, 'name'>;

/** One worker's way to the store that all share: it can be cut, blocked, or end as for a worker that crashed. */
export class StoreGate {
  /** Every call is refused with `unavailable`, or those of the named methods. */
  refused: Method[] | 'all' | 'none' = 'none';
  /** Calls of these methods wait until `open`. */
  private readonly blocked = new Map<Method, (() => void)[]>();
  /** Calls of these methods have their effect and are never answered, as when a worker dies in between. */
  readonly unanswered = new Set<Method>();
  private isDead = false;
  /** Names of the calls in their order. */
  readonly calls: Method[] = [];
  readonly store: Store;

  constructor(inner: Store) {
    this.store = new Proxy(inner, {
      get: (target, key) => {
        const value = Reflect.get(target, key) as unknown;
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => this.call(key as Method, () => (value as (...all: unknown[]) => Promise<unknown>).apply(target, args));
      },
    });
  }

  private call(method: Method, run: () => Promise<unknown>): Promise<unknown> {
    this.calls.push(method);
    if (this.isDead) return new Promise(() => {});
    if (this.refused === 'all' || this.refused.includes(method)) {
      return Promise.reject(new StoreError('unavailable', `${method}: the test has cut the way to the store`));
    }
    const waiting = this.blocked.get(method);
    if (waiting === undefined) return run().then((result) => this.answer(method, result));
    return new Promise((resolve, reject) => {
      waiting.push(() => {
        run().then(resolve, reject);
      });
    });
  }

  /** A worker that has died hears no answer. */
  private answer(method: Method, result: unknown): Promise<unknown> | unknown {
    return this.isDead || this.unanswered.has(method) ? new Promise(() => {}) : result;
  }

  block(method: Method): void {
    this.blocked.set(method, []);
  }

  open(method: Method): void {
    const waiting = this.blocked.get(method) ?? [];
    this.blocked.delete(method);
    for (const run of waiting) run();
  }

  /** How many calls of the method wait. */
  waiting(method: Method): number {
    return this.blocked.get(method)?.length ?? 0;
  }

  /** No call has an effect from now on, and none is answered. */
  die(): void {
    this.isDead = true;
    this.blocked.clear();
  }
}
