/** Clients that are over a rate, until they have tokens again: one timer for all of a worker, which runs while there are any. */
import type { Clock } from '../ports/clock.ts';
import { WorkTimer } from '../work/work-timer.ts';

const tickMilliseconds = 20;

export interface RestingClient {
  /** Milliseconds since 1970 until which it rests. */
  readonly restsUntil: number;
  /** Called when it has tokens again. */
  rested(): void;
}

export class RestingClients {
  private readonly clock: Clock;
  private readonly timer: WorkTimer;
  private readonly clients = new Set<RestingClient>();

  constructor(clock: Clock) {
    this.clock = clock;
    this.timer = new WorkTimer(clock, tickMilliseconds, () => this.tick());
  }

  /** Number of clients that rest. */
  get count(): number {
    return this.clients.size;
  }

  add(client: RestingClient): void {
    this.clients.add(client);
    this.timer.start();
  }

  /** Forgets a client that has ended. */
  delete(client: RestingClient): void {
    this.clients.delete(client);
  }

  private tick(): boolean {
    const now = this.clock.now();
    for (const client of this.clients) {
      // Further ahead than it may be: the clock was set back.
      if (client.restsUntil > now && client.restsUntil < now + 2 * 60_000) continue;
      this.clients.delete(client);
      client.rested();
    }
    return this.clients.size > 0;
  }
}
