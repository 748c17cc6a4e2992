/**
 * Order of operations that take more than one step: later operations on the same names must not overtake them.
 *
 * Most operations are one script call: the first call is sent first, on one connection, and Redis keeps that order.
 * Some need a second step after the answer to the first (a change of a session, then of its logs). Such an operation
 * holds its names until its last step is sent; later operations with one of these names wait, others pass.
 *
 *     claim c ─► session script …… answer ─► log script        released here
 *     append a         waits for it: the claim may end a session with a cursor on a ─► sent
 *     update d  ─► sent at once
 */

/** Names that an operation holds: `s` client, `l` filter. Null: everything. */
export type Touches = readonly string[] | null;

class Operation {
  readonly touches: Touches;
  readonly start: () => void;
  pending: number;
  readonly dependents: Operation[];

  constructor(touches: Touches, start: () => void) {
    this.touches = touches;
    this.start = start;
    this.pending = 0;
    this.dependents = [];
  }
}

/**
 * Name held in addition by every operation that may end a session, whose logs are not known before. Operations on logs
 * wait for it, but they do not wait for each other.
 */
export const endsSessions = '*';

export class Order {
  private readonly held: Set<Operation>;
  private readonly holders: Map<string, Operation>;
  private readonly ending: Set<Operation>;
  private lastOfAll: Operation | null;
  private readonly ready: Operation[];
  private starting: boolean;
  private waiters: (() => void)[];

  constructor() {
    this.ready = [];
    this.starting = false;
    this.waiters = [];
    this.held = new Set();
    this.holders = new Map();
    this.ending = new Set();
    this.lastOfAll = null;
  }

  /** True if no name is held: then an operation of one step need not be ordered. */
  get free(): boolean {
    return this.held.size === 0;
  }

  /** Runs an operation of one step: `start` sends it. */
  single<T>(touches: Touches, start: () => Promise<T>): Promise<T> {
    if (this.held.size === 0) return start();
    return new Promise((resolve, reject) => {
      const operation = this.enter(touches, () => {
        start().then(resolve, reject);
        this.release(operation);
      });
      if (operation.pending === 0) operation.start();
    });
  }

  /**
   * Runs an operation of several steps. `run` calls `release` when the last one is sent; at the latest its names are
   * released when `run` is settled.
   */
  multiple<T>(touches: Touches, run: (release: () => void) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const operation = this.enter(touches, () => {
        const release = (): void => this.release(operation);
        run(release).then(resolve, reject).finally(release);
      });
      if (operation.pending === 0) operation.start();
    });
  }

  /** Resolves when nothing is held. */
  idle(): Promise<void> {
    if (this.held.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  private enter(touches: Touches, start: () => void): Operation {
    const operation = new Operation(touches, start);
    if (touches === null) {
      for (const other of this.held) this.depend(operation, other);
      this.lastOfAll = operation;
    } else {
      if (this.lastOfAll !== null) this.depend(operation, this.lastOfAll);
      const ends = touches.includes(endsSessions);
      let onLogs = false;
      for (const name of touches) {
        if (name.charCodeAt(0) === 0x6c) onLogs = true; // l
        const holder = this.holders.get(name);
        if (holder !== undefined) this.depend(operation, holder);
      }
      if (onLogs && !ends) for (const other of this.ending) this.depend(operation, other);
      if (ends) {
        // Calls that were already given to logs come first.
        for (const [name, holder] of this.holders) if (name.charCodeAt(0) === 0x6c) this.depend(operation, holder);
        this.ending.add(operation);
      }
      for (const name of touches) if (name !== endsSessions) this.holders.set(name, operation);
    }
    this.held.add(operation);
    return operation;
  }

  private depend(operation: Operation, other: Operation): void {
    operation.pending++;
    other.dependents.push(operation);
  }

  private release(operation: Operation): void {
    if (!this.held.delete(operation)) return;
    this.ending.delete(operation);
    if (this.lastOfAll === operation) this.lastOfAll = null;
    for (const name of operation.touches ?? []) {
      if (this.holders.get(name) === operation) this.holders.delete(name);
    }
    for (const dependent of operation.dependents) if (--dependent.pending === 0) this.ready.push(dependent);
    if (this.starting) return;
    // In a loop, not by recursion: thousands may wait in one row.
    this.starting = true;
    for (let next = this.ready.shift(); next !== undefined; next = this.ready.shift()) next.start();
    this.starting = false;
    if (this.held.size === 0) for (const wake of this.waiters.splice(0)) wake();
  }
}
