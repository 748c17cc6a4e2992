import { type DrainOptions, drainAnswerMilliseconds, type Logger } from '@dunlin/broker/ports';
import { type Configuration, drainEndSeconds } from '@dunlin/config';
import { events } from './log-events.ts';

/**
 * Pace at which clients are sent away in a cluster unless the configuration, or the grace, wants another: a node takes
 * thousands of connects a second.
 */
const ratePerSecondDefault = 500;
/** Clients that are left are told this often. */
const progressMilliseconds = 1000;

/** Part of the worker pool that a drain needs. */
export interface DrainPool {
  /** Accepts no connection from now on. */
  closeListeners(): Promise<void>;
  /** Sends all clients away; resolves when none is left. */
  drain(options: DrainOptions): Promise<void>;
  status(): Promise<{ connections: number }[]>;
}

export interface DrainParts {
  pool: DrainPool;
  logger: Logger;
  settings: Configuration['drain'];
  /** No other node takes the clients, so nothing is gained by sending them away slowly. */
  isAlone: boolean;
}

/** Time that delay and pacing may take together. */
function pacedMilliseconds({ graceSeconds }: Configuration['drain']): number {
  return Math.max(0, graceSeconds - drainEndSeconds) * 1000;
}

/**
 * Time over which this many clients are sent away: at the rate that was set, or 500 a second in a cluster; faster where
 * the grace needs it.
 */
export function spreadMilliseconds(connections: number, settings: Configuration['drain'], isAlone: boolean): number {
  const { ratePerSecond, delaySeconds } = settings;
  if (ratePerSecond === 0 && isAlone) return 0;
  const rate = ratePerSecond === 0 ? ratePerSecondDefault : ratePerSecond;
  const available = Math.max(0, pacedMilliseconds(settings) - delaySeconds * 1000);
  return Math.min(Math.round((connections * 1000) / rate), available);
}

/**
 * The way of a node out of service, up to where it stops. Readiness is off already.
 *
 * ```
 *   │ delay: still accepts, load balancers notice │ accepts no more; clients are sent away evenly │ last answers │ stop │
 *   └───────────────────────────────────── graceSeconds at most ──────────────────────────────────────────────────────┘
 * ```
 */
export class NodeDrain {
  readonly #parts: DrainParts;
  readonly #cut = Promise.withResolvers<void>();
  #isCut = false;
  #timers: NodeJS.Timeout[] = [];
  #ran: Promise<void> | null = null;

  constructor(parts: DrainParts) {
    this.#parts = parts;
  }

  /** Resolves when no client is left, when the time for it is over, or when it was cut short. Done twice, it is done once. */
  run(): Promise<void> {
    this.#ran ??= this.#run();
    return this.#ran;
  }

  /** Ends all waits. */
  cutShort(): void {
    this.#isCut = true;
    this.#cut.resolve();
  }

  async #run(): Promise<void> {
    const { settings, logger } = this.#parts;
    // The workers keep to their time by themselves; one that hangs must not keep the others.
    const latestMilliseconds = pacedMilliseconds(settings) + drainAnswerMilliseconds;
    this.#timers.push(
      setTimeout(() => {
        logger.warn(events['drain.timed-out']);
        this.cutShort();
      }, latestMilliseconds),
    );
    try {
      await Promise.race([this.#sendAway(), this.#cut.promise]);
    } finally {
      for (const timer of this.#timers) clearTimeout(timer);
    }
  }

  async #sendAway(): Promise<void> {
    const { settings, pool, logger, isAlone } = this.#parts;
    const { delaySeconds, serverReference } = settings;
    if (delaySeconds > 0) {
      await new Promise<void>((resolve) => this.#timers.push(setTimeout(resolve, delaySeconds * 1000)));
    }
    if (this.#isCut) return;
    await pool.closeListeners();
    const begun = performance.now();
    const connections = await this.#count();
    if (this.#isCut) return;
    const milliseconds = spreadMilliseconds(connections, settings, isAlone);
    logger.info(events['drain.began'], { connections, milliseconds });
    this.#timers.push(setInterval(() => void this.#progress(), progressMilliseconds));
    await pool.drain({ spreadMilliseconds: milliseconds, serverReference });
    if (this.#isCut) return;
    logger.info(events['drain.finished'], { connections, milliseconds: Math.round(performance.now() - begun) });
  }

  async #count(): Promise<number> {
    const status = await this.#parts.pool.status();
    return status.reduce((sum, worker) => sum + worker.connections, 0);
  }

  async #progress(): Promise<void> {
    const connections = await this.#count();
    if (!this.#isCut && connections > 0) this.#parts.logger.info(events['drain.progressed'], { connections });
  }
}
