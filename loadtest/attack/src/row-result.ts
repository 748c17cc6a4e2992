import type { BrokerName } from './broker-name.ts';

/** Fate of the messages of one phase. */
export interface PhaseFigures {
  readonly sent: number;
  /** Milliseconds, from the time when a message was due to its arrival. */
  readonly p50: number;
  readonly p99: number;
}

/** Messages that did not come, and connections that ended. */
export interface Losses {
  readonly qos0: number;
  readonly qos1: number;
  readonly sentQos0: number;
  readonly disconnected: number;
}

/** Figures of healthy clients that got in. */
export interface NewcomerFigures {
  readonly tried: number;
  /** Number of those that were refused, or whose connection was ended. */
  readonly refused: number;
  /** Number of those that were not in when they went away. */
  readonly late: number;
  /** Milliseconds from the dial to SUBACK, of the slowest that got in. */
  readonly slowest: number;
  /** Number of those whose plain subscription was refused. */
  readonly refusedFilters: number;
}

/** Costs of an attack. */
export interface RowResult {
  readonly attack: string;
  readonly broker: BrokerName;
  /** MiB. */
  readonly memory: { readonly before: number; readonly peak: number; readonly after: number };
  readonly quiet: PhaseFigures;
  readonly during: PhaseFigures;
  /** The last second of the wait behind the attack. */
  readonly after: PhaseFigures;
  /** Seconds behind the attack until memory and p99 were as before; null: they were not within the time. */
  readonly backSeconds: number | null;
  /** Seconds that this was waited for at most. */
  readonly afterSeconds: number;
  readonly lost: Losses;
  readonly newcomers: NewcomerFigures;
  /** Seconds in which `/healthz` did not say 200. */
  readonly unhealthy: number;
  readonly workersReplaced: number;
  /** The broker has ended: how. */
  readonly ended: string | null;
  /** Answers to the attacker. */
  readonly answers: string;
}
