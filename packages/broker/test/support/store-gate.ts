import type { Store } from '../../src/ports/store.ts';
import { StoreError } from '../../src/ports/store-error.ts';
import { methodOf, partsOf, type StoreMethod } from '../../src/ports/store-methods.ts';

/** Way of one worker to the store that all share: it can be cut, blocked, or end as for a worker that crashed. */
export class StoreGate {
  /** Every call is refused with `unavailable`, or those of the named methods. */
  refused: StoreMethod[] | 'all' | 'none' = 'none';
  /** Calls of these methods wait until `open`. */
  private readonly blocked = new Map<StoreMethod, (() => void)[]>();
  /** Calls of these methods have their effect and are never answered, as when a worker dies in between. */
  readonly unanswered = new Set<StoreMethod>();
  /** Calls of these methods have their effect and are then refused: nothing is known of the outcome. */
  readonly failsAfter = new Set<StoreMethod>();
  /** Calls of these methods have their effect at once and are answered at `openAnswers`. */
  private readonly lateAnswers = new Map<StoreMethod, (() => void)[]>();
  /** Takes over single calls; null leaves one as it is. `run` makes it. */
  intercept: ((method: StoreMethod, run: () => Promise<unknown>) => Promise<unknown> | null) | null = null;
  private isDead = false;
  /** Names of the calls in their order. */
  readonly calls: StoreMethod[] = [];
  readonly store: Store;

  constructor(inner: Store) {
    const parts = partsOf(
      (method) =>
        (...parameters) =>
          // Looked up at each call: a test may have replaced it.
          this.call(method, () => methodOf(inner, method)(...parameters)),
    );
    this.store = { name: inner.name, ...parts, open: () => inner.open(), close: () => inner.close() };
  }

  private call(method: StoreMethod, run: () => Promise<unknown>): Promise<unknown> {
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
  private answer(method: StoreMethod, result: unknown): Promise<unknown> | unknown {
    const late = this.lateAnswers.get(method);
    if (late !== undefined) return new Promise((resolve) => late.push(() => resolve(result)));
    if (this.failsAfter.has(method)) throw new StoreError('unavailable', `${method}: the answer was lost`);
    return this.isDead || this.unanswered.has(method) ? new Promise(() => {}) : result;
  }

  block(method: StoreMethod): void {
    this.blocked.set(method, []);
  }

  open(method: StoreMethod): void {
    const waiting = this.blocked.get(method) ?? [];
    this.blocked.delete(method);
    for (const run of waiting) run();
  }

  holdAnswers(method: StoreMethod): void {
    this.lateAnswers.set(method, []);
  }

  openAnswers(method: StoreMethod): void {
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
