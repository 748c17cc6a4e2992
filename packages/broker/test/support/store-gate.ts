import { type Store, StoreError } from '../../src/ports/store.ts';

type Method = Exclude<keyof Store, 'name'>;

/** Way of one worker to the store that all share: it can be cut, blocked, or end as for a worker that crashed. */
export class StoreGate {
  /** Every call is refused with `unavailable`, or those of the named methods. */
  refused: Method[] | 'all' | 'none' = 'none';
  /** Calls of these methods wait until `open`. */
  private readonly blocked = new Map<Method, (() => void)[]>();
  /** Calls of these methods have their effect and are never answered, as when a worker dies in between. */
  readonly unanswered = new Set<Method>();
  /** Calls of these methods have their effect and are then refused: nothing is known of the outcome. */
  readonly failsAfter = new Set<Method>();
  /** Calls of these methods have their effect at once and are answered at `openAnswers`. */
  private readonly lateAnswers = new Map<Method, (() => void)[]>();
  /** Takes over single calls; null leaves one as it is. `run` makes it. */
  intercept: ((method: Method, run: () => Promise<unknown>) => Promise<unknown> | null) | null = null;
  private isDead = false;
  /** Names of the calls in their order. */
  readonly calls: Method[] = [];
  readonly store: Store;

  constructor(inner: Store) {
    this.store = new Proxy(inner, {
      get: (target, key) => {
        const value = Reflect.get(target, key) as unknown;
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) =>
          this.call(key as Method, () => (value as (...all: unknown[]) => Promise<unknown>).apply(target, args));
      },
    });
  }

  private call(method: Method, run: () => Promise<unknown>): Promise<unknown> {
    this.calls.push(method);
    if (this.isDead) return new Promise(() => {});
    const taken = this.intercept?.(method, run) ?? null;
    if (taken !== null) return taken;
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
    const late = this.lateAnswers.get(method);
    if (late !== undefined) return new Promise((resolve) => late.push(() => resolve(result)));
    if (this.failsAfter.has(method)) throw new StoreError('unavailable', `${method}: the answer was lost`);
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

  holdAnswers(method: Method): void {
    this.lateAnswers.set(method, []);
  }

  openAnswers(method: Method): void {
    const waiting = this.lateAnswers.get(method) ?? [];
    this.lateAnswers.delete(method);
    for (const answer of waiting) answer();
  }

  /** No call has an effect from now on, and none is answered. */
  die(): void {
    this.isDead = true;
    this.blocked.clear();
  }
}
