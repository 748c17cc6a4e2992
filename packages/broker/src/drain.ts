/**
 * Sends the clients of a worker away at a pace, so that the others of the cluster get them one by one and not all at once.
 *
 * ```
 *   begin                                                   begin + spreadMilliseconds
 *     ├── slot 1 ──┼── slot 2 ──┼── slot 3 ──┼── … ──┼── slot n ──┤      one client at a random moment of each slot
 *                       │
 *                       └─ its turn: read no more ── what it sent is answered when it is safe (bounded) ── DISCONNECT, close
 * ```
 *
 * Its will goes the way of any lost connection (will.ts).
 */
import { ReasonCode } from '@dunlin/protocol';
import type { Connection } from './connection/connection.ts';
import { refuseConnect } from './connection/send-refusal.ts';
import { ConnectionState } from './output/connection-state.ts';
import type { Clock } from './ports/clock.ts';
import { type DrainOptions, drainAnswerMilliseconds } from './ports/drain-options.ts';
import type { Metrics } from './ports/metrics.ts';

/** Options of a drain. It travels to worker threads. */
/** A pace is kept to this; a thousand clients a second leave ten at a time. */
const tickMilliseconds = 10;

export interface DrainParts {
  clock: Clock;
  metrics: Metrics;
  /** Draws a number from 0 up to 1, for the jitter. */
  random: () => number;
}

export class Drain {
  /** Resolves when no client is left, or at `stop`. */
  readonly done: Promise<void>;
  private readonly parts: DrainParts;
  private readonly options: DrainOptions;
  private readonly beganAt: number;
  private readonly queue: readonly Connection[];
  private next = 0;
  private nextAt: number;
  /** Connections whose turn has come and to which an answer is owed, with the moment until which they get it. */
  private readonly leaving = new Map<Connection, number>();
  private readonly cancel: () => void;
  private finish: () => void = () => {};

  constructor(parts: DrainParts, connections: readonly Connection[], options: DrainOptions) {
    this.parts = parts;
    this.options = options;
    this.queue = connections;
    this.beganAt = parts.clock.now();
    this.nextAt = this.turnOf(0);
    this.done = new Promise((resolve) => {
      this.finish = resolve;
    });
    this.cancel = parts.clock.every(tickMilliseconds, () => this.tick());
    this.tick();
  }

  /** Stops: no more clients are sent away. */
  stop(): void {
    this.cancel();
    this.finish();
  }

  /** Sends nobody away whose turn has not come; those whose turn has come get their answers, and go. */
  endEarly(): void {
    this.next = this.queue.length;
  }

  private turnOf(position: number): number {
    return this.beganAt + (this.options.spreadMilliseconds * (position + this.parts.random())) / this.queue.length;
  }

  private tick(): void {
    const now = this.parts.clock.now();
    while (this.next < this.queue.length && this.nextAt <= now) {
      this.begin(this.queue[this.next], now);
      this.nextAt = this.turnOf(++this.next);
    }
    for (const [connection, until] of this.leaving) {
      if (connection.owesAnswers && until > now && connection.state !== ConnectionState.closed) continue;
      this.leaving.delete(connection);
      this.part(connection);
    }
    if (this.next === this.queue.length && this.leaving.size === 0) this.stop();
  }

  private begin(connection: Connection, now: number): void {
    connection.reading.stop();
    if (connection.owesAnswers) this.leaving.set(connection, now + drainAnswerMilliseconds);
    else this.part(connection);
  }

  private part(connection: Connection): void {
    const { serverReference } = this.options;
    switch (connection.state) {
      case ConnectionState.closed:
        return; // by itself
      case ConnectionState.new:
        connection.end();
        break;
      case ConnectionState.connecting:
        if (this.options.stays === true)
          refuseConnect(connection, ReasonCode.useAnotherServer, 'this server gives clients away');
        else refuseConnect(connection, ReasonCode.serverUnavailable, 'the server is shutting down');
        break;
      default:
        // MQTT 5 section 4.11: "temporarily use another server", with the one that it names.
        if (serverReference === '' && this.options.stays !== true) connection.disconnect(ReasonCode.serverShuttingDown);
        else connection.disconnect(ReasonCode.useAnotherServer, '', serverReference);
    }
    this.parts.metrics.drained++;
  }
}
