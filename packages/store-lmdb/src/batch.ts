import { StoreError } from '@dunlin/broker/ports';
import type { RootDatabase } from 'lmdb';

/** Limit of calls in one transaction: further calls wait for the next, so that no transaction grows without bound. */
const CALLS_PER_TRANSACTION_MAX = 4096;
/**
 * Time after which the calls that are left wait for the next transaction: this thread does nothing else while calls are
 * run. 4,096 retained messages took 100 ms.
 */
const TRANSACTION_MILLISECONDS = 8;
/** Calls between two looks at the clock. */
const CALLS_PER_LOOK = 8;

interface Call {
  run: () => unknown;
  /** Passed on to `around`. */
  special: boolean;
  /**
   * True when the call adds to the stored data: left out when the disk has refused a transaction, so that the others
   * succeed.
   */
  grows: boolean;
  resolve: (value: never) => void;
  reject: (cause: unknown) => void;
  /** Result of `run`, or the StoreError it threw. */
  outcome: unknown;
  refused: boolean;
}

/**
 * Gathers calls into write transactions of one environment. Calls run in their order, each seeing what the ones before it wrote, and are
 * answered when their transaction is committed.
 *
 *   immediate: the transaction runs on this thread at the end of the turn. For environments whose commits do not flush: one of 100 puts
 *              costs 0.1 ms, less than the thread hops of the other way (1 µs a put against 4 µs).
 *   deferred:  lmdb's writer thread begins and commits (and flushes), and calls back here in between to run the calls. What arrives until
 *              then travels with it, and what arrives while the commit is under way makes the next transaction.
 *
 * A call that throws a StoreError is refused alone, so it must throw before it writes. Anything else aborts the transaction and refuses
 * every call in it with `unavailable`, unless it was the disk, and there are calls that add nothing to what is stored: those are run again
 * without the others.
 */
export class Batch {
  private readonly root: RootDatabase<Uint8Array, Uint8Array>;
  private readonly immediate: boolean;
  /** Called around the calls of one transaction; `special`: at least one of them is special. */
  private readonly around: (calls: () => void, special: boolean) => void;
  private waiting: Call[];
  private scheduled: boolean;
  /** Calls are being run: lmdb would make a transaction that is requested now a part of this one. */
  private running: boolean;
  /** Transactions that have collected their calls and are not committed. */
  private committing: number;
  private idle: (() => void)[];
  /** Called for each transaction that the disk refused. */
  private readonly diskRefused: (failure: StoreError) => void;
  /**
   * The disk has refused a transaction. Until one that adds data succeeds, transactions run on this thread: the writer
   * thread of lmdb would print a stack for each failure.
   */
  private refusedByDisk: boolean;

  constructor(
    root: RootDatabase<Uint8Array, Uint8Array>,
    immediate: boolean,
    around: (calls: () => void, special: boolean) => void,
    diskRefused: (failure: StoreError) => void = () => undefined,
  ) {
    this.diskRefused = diskRefused;
    this.refusedByDisk = false;
    this.root = root;
    this.immediate = immediate;
    this.around = around;
    this.waiting = [];
    this.scheduled = false;
    this.running = false;
    this.committing = 0;
    this.idle = [];
  }

  /** True while a call is not yet visible to readers. */
  get busy(): boolean {
    return this.waiting.length > 0 || this.committing > 0;
  }

  call<T>(run: () => T, special = false, grows = false): Promise<T> {
    return new Promise<T>((resolve, reject) => this.push(run, special, resolve, reject, grows));
  }

  push<T>(
    run: () => T,
    special: boolean,
    resolve: (value: T) => void,
    reject: (cause: unknown) => void,
    grows = false,
  ): void {
    this.waiting.push({ run, special, grows, resolve, reject, outcome: undefined, refused: false });
    if (!this.scheduled) this.schedule();
  }

  /** Runs the waiting calls now. Immediate batches only. */
  flush(): void {
    while (this.waiting.length > 0) this.runImmediately();
  }

  /** Resolves when all calls made until then are answered. */
  settled(): Promise<void> {
    return this.busy ? new Promise((resolve) => this.idle.push(resolve)) : Promise.resolve();
  }

  private schedule(): void {
    this.scheduled = true;
    if (this.running) {
      // A call of this transaction led to another one, for instance a claim that turned out to need the main
      // environment.
      setImmediate(() => this.schedule());
      return;
    }
    if (this.immediate || (this.refusedByDisk && this.committing === 0)) {
      setImmediate(() => {
        this.scheduled = false;
        this.runImmediately();
      });
      return;
    }
    let taken: Call[] = [];
    this.root
      .childTransaction(() => {
        taken = this.take();
        this.scheduled = false;
        this.committing++;
        // Calls that arrive from now on belong to the next transaction.
        this.runSome(taken);
      })
      .then(
        () => this.finished(taken, null),
        (cause: unknown) => void this.refused(taken, cause),
      );
  }

  /**
   * Rejects the calls of a commit that failed. LMDB reports the error of the system by a second promise, which is
   * rejected in the same turn.
   */
  private async refused(calls: Call[], cause: unknown): Promise<void> {
    let reason = cause;
    try {
      await (cause as { commitError?: Promise<never> }).commitError;
    } catch (commitError) {
      reason = commitError;
    }
    this.finished(calls, reason);
  }

  private runImmediately(): void {
    if (this.waiting.length === 0) return;
    const taken = this.take();
    this.committing++;
    try {
      this.root.transactionSync(() => this.runSome(taken));
    } catch (cause) {
      this.finished(taken, cause);
      return;
    }
    this.finished(taken, null);
  }

  private take(): Call[] {
    if (this.waiting.length <= CALLS_PER_TRANSACTION_MAX) {
      const taken = this.waiting;
      this.waiting = [];
      return taken;
    }
    return this.waiting.splice(0, CALLS_PER_TRANSACTION_MAX);
  }

  /** Runs calls in their order; those that it has no time for are taken out, and wait before all others. */
  private runSome(calls: Call[]): void {
    let special = false;
    for (const call of calls) special ||= call.special;
    this.running = true;
    try {
      this.around(() => {
        const run = runInTime(calls);
        if (run < calls.length) this.waiting = calls.splice(run).concat(this.waiting);
      }, special);
    } finally {
      this.running = false;
    }
  }

  private finished(calls: Call[], cause: unknown): void {
    this.committing--;
    if (calls.length === 0 && cause !== null) {
      // The transaction did not begin: it collected no calls, so the waiting calls are refused.
      this.committing++;
      this.scheduled = false;
      calls = this.take();
    }
    const failure = cause === null ? null : new StoreError('unavailable', `LMDB: ${describe(cause)}`, cause);
    if (failure === null) {
      if (this.refusedByDisk) this.refusedByDisk = !calls.some(({ grows }) => grows);
    } else if (isOfDisk(cause)) {
      this.refusedByDisk = true;
      this.diskRefused(failure);
      const again = withoutGrowing(calls);
      if (again.length > 0) {
        calls = calls.filter(({ grows }) => grows);
        this.waiting = again.concat(this.waiting);
      }
    }
    for (const call of calls) {
      if (failure !== null) call.reject(failure);
      else if (call.refused) call.reject(call.outcome);
      else call.resolve(call.outcome as never);
    }
    if (this.waiting.length > 0 && !this.scheduled) this.schedule();
    if (!this.busy) {
      const idle = this.idle;
      this.idle = [];
      for (const resolve of idle) resolve();
    }
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/**
 * Runs calls until the time of a transaction is over; returns how many. A call that throws a StoreError is refused
 * alone; anything else ends the transaction.
 */
function runInTime(calls: Call[]): number {
  const endsAt = performance.now() + TRANSACTION_MILLISECONDS;
  for (let index = 0; index < calls.length; index++) {
    if (index > 0 && index % CALLS_PER_LOOK === 0 && performance.now() >= endsAt) return index;
    const call = calls[index];
    try {
      call.outcome = call.run();
    } catch (cause) {
      if (!(cause instanceof StoreError)) throw cause;
      call.outcome = cause;
      call.refused = true;
    }
  }
  return calls.length;
}

/** True for an error of the system, or of LMDB itself. An error thrown by a call has no number. */
function isOfDisk(cause: unknown): boolean {
  return typeof (cause as { code?: unknown }).code === 'number';
}

/**
 * The calls of a refused transaction that may succeed without the others; none: it would be the same transaction again.
 */
function withoutGrowing(calls: Call[]): Call[] {
  const again = calls.filter(({ grows }) => !grows);
  if (again.length === calls.length) return [];
  for (const call of again) {
    call.outcome = undefined;
    call.refused = false;
  }
  return again;
}
