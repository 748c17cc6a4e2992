import { Histogram, latencyBounds, Metrics, newHttpFigures } from '@dunlin/broker/ports';

/** Operations that calls to the store are counted under. */
export const storeOperations = [
  'claim',
  'release',
  'subscribe',
  'update',
  'append',
  'read-log',
  'write-retained',
  'read-retained',
  'other',
] as const;
export type StoreOperation = (typeof storeOperations)[number];

/** Reasons for which a message of another node is not used. */
export const backplaneRefusals = ['unreadable', 'unsigned', 'forged', 'replayed', 'needs-secret'] as const;
export type BackplaneRefusal = (typeof backplaneRefusals)[number];

/** An event loop that is late by less than the first bound is on time: timers have whole milliseconds. */
export const delayBounds: readonly number[] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** All that one worker counts: what its broker does, what its store takes, how its thread fares. */
export class WorkerFigures {
  readonly broker: Metrics;
  readonly storeSeconds: Record<StoreOperation, Histogram>;
  /** Questions to the HTTP service for sign-in and rights. */
  readonly httpQuestions = newHttpFigures();
  /** Delay with which the event loop came to a timer. */
  readonly delaySeconds = new Histogram(delayBounds);
  /** Time that the event loop spent at work since the thread began. */
  activeSeconds = 0;
  heapBytes = 0;
  /** Buffers of this thread that are outside of its heap. */
  externalBytes = 0;
  /** 1: reachable, or not needed; 0: away. */
  storeConnected = 1;
  /** 1: its disk takes writes, or it has none; else 0. */
  storeWritable = 1;
  /** 0: Redis may evict what is stored. */
  storeNoeviction = 1;
  backplaneConnected = 1;
  /** Messages between nodes that were refused, by reason. */
  readonly backplaneRefused: Record<BackplaneRefusal, number> = {
    unreadable: 0,
    unsigned: 0,
    forged: 0,
    replayed: 0,
    'needs-secret': 0,
  };

  /** `listeners`: their names. */
  constructor(listeners: readonly string[]) {
    this.broker = new Metrics(listeners);
    this.storeSeconds = Object.fromEntries(
      storeOperations.map((operation) => [operation, new Histogram(latencyBounds)]),
    ) as Record<StoreOperation, Histogram>;
  }
}
