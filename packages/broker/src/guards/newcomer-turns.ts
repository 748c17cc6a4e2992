/**
 * Turns of the event loop for clients that have not signed in. Thousands of them may come at once, each with work that
 * anybody can ask for; some of it is done in a turn and the rest in the next ones, so that connected clients are heard
 * in between:
 *
 * ```
 *   a turn            32 units; 8 where the turn before was late
 *   CONNECT           1 unit, some 0.1 ms
 *   WebSocket         2 units
 *   handshake of TLS  8 units, some 1 ms
 * ```
 *
 * Clients that wait have been told nothing and lose nothing. They are served by network in turn, not first come first
 * served (fair-queue.ts). How many may wait is bounded by the limits of connections before CONNACK (unsigned-clients.ts),
 * which count each of them.
 */
import type { Clock } from '../ports/clock.ts';
import { FairQueue, type Waiter } from './fair-queue.ts';
import { networkOf } from './network-of.ts';

/** Units of work for one client. */
export const newcomerCosts = { connect: 1, webSocket: 2, tlsHandshake: 8 } as const;

const unitsPerTurn = 32;
const unitsPerLateTurn = 8;
/** Length from which on a turn was late: connected clients wait for two or three of them. */
const lateMilliseconds = 20;

/** Client that waits for its turn. */
export interface WaitingNewcomer {
  /** Takes it out: it has gone. Does nothing when its turn has come. */
  leave(): void;
}

export class NewcomerTurns {
  private readonly clock: Clock;
  private readonly isKnown: (network: string) => boolean;
  private readonly queue = new FairQueue(Number.POSITIVE_INFINITY);
  /** Units that are left in this turn. */
  private left = unitsPerTurn;
  private isScheduled = false;
  /** Milliseconds since 1970. */
  private turnSince = 0;
  private readonly turn = (): void => this.nextTurn();

  /** `isKnown`: whether somebody has signed in lately from a network. */
  constructor(clock: Clock, isKnown: (network: string) => boolean) {
    this.clock = clock;
    this.isKnown = isKnown;
  }

  /** Clients that wait. */
  get waiting(): number {
    return this.queue.size;
  }

  /** True: the work may be done now. False: the client has to `wait`. Called for each CONNECT, so without a closure. */
  take(cost: number): boolean {
    if (this.left <= 0 || this.queue.size > 0) return false;
    this.left -= cost;
    if (!this.isScheduled) this.schedule();
    return true;
  }

  /** `begin` does the work, in a later turn. */
  wait(address: string, cost: number, begin: () => void): WaitingNewcomer {
    const network = networkOf(address);
    const waiter: Waiter = {
      standing: this.isKnown(network) ? 1 : 0,
      network,
      account: '',
      served: () => {
        this.left -= cost;
        begin();
      },
    };
    this.queue.add(waiter);
    if (!this.isScheduled) this.schedule();
    return { leave: () => this.queue.remove(waiter) };
  }

  private schedule(): void {
    this.isScheduled = true;
    this.turnSince = this.clock.now();
    this.clock.nextTurn(this.turn);
  }

  private nextTurn(): void {
    const isLate = this.clock.now() - this.turnSince > lateMilliseconds;
    const units = isLate ? unitsPerLateTurn : unitsPerTurn;
    this.isScheduled = false;
    this.left = units;
    // As long as there is work for them: the rest of this turn counts together with what was begun here.
    while (this.left > 0 && this.queue.serve());
    if (this.left < units) this.schedule();
  }
}
