import type { Stage } from './stage.ts';

/** Listeners besides plain TCP that an attack needs. */
export type Listener = 'tls' | 'web-socket';

/** Attack: a row of the table. It runs in a process of its own, never longer than its seconds. */
export interface Attack {
  /** The name of the row, in words of MQTT joined by hyphens. */
  readonly name: string;
  /** A few words for the table. */
  readonly title: string;
  /** Sentence about the attackers, with the numbers. */
  readonly details: string;
  /** The bound of `run`, in seconds; the stage ends it then. */
  readonly seconds: number;
  /** Processes that do the same at the same time; 1 unless said. */
  readonly processes?: number;
  readonly listener?: Listener;
  /** True: it is in the short form, which CI runs. */
  readonly isShort?: boolean;
  /** Pairs of healthy clients beside it, each of a publisher and a subscriber with QoS 0, on any workers. */
  readonly pairs?: number;
  /** True: it uses what Mosquitto does not have, so there is no row beside it. */
  readonly isDunlinAlone?: boolean;
  /** Configuration keys of Dunlin that differ from its defaults. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** True: an HTTP service signs clients in, healthy ones as well, and takes 0.3 s for each. */
  readonly hasSlowSignInService?: boolean;
  /** Attacks until it is through; the stage rejects what is under way when its time is over. */
  run(stage: Stage): Promise<void>;
}
