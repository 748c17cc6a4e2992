/** State of sessions that were closed here a moment ago, for those who claim them next. */
import type { Clock } from '../ports/clock.ts';
import type { HandedSession } from '../session/handover.ts';

/**
 * Time for which states are kept: longer than a request of another worker can be on its way (cluster.ts), and short
 * enough to hold only recent ones.
 */
const keptMilliseconds = 10_000;

export class WrittenSessions {
  private readonly clock: Clock;
  /**
   * Sessions whose connection has ended and whose write-back is in progress: a claim that overtakes it makes it void.
   */
  private readonly closing = new Map<string, HandedSession>();
  /**
   * Sessions written back a moment ago. A claim of another worker may have made that void unnoticed: then that worker
   * asks, and gets this state.
   */
  private readonly closed = new Map<string, { handed: HandedSession; until: number }>();

  constructor(clock: Clock) {
    this.clock = clock;
    clock.every(keptMilliseconds, () => this.forgetClosed());
  }

  private forgetClosed(): void {
    const now = this.clock.now();
    // In the order of closing: the first one that is kept ends the loop.
    for (const [clientId, { until }] of this.closed) {
      if (until > now) return;
      this.closed.delete(clientId);
    }
  }

  /** Its write-back begins. */
  add(clientId: string, handed: HandedSession): void {
    this.closing.set(clientId, handed);
  }

  done(clientId: string, handed: HandedSession): void {
    if (this.closing.get(clientId) !== handed) return;
    this.closing.delete(clientId);
    this.closed.delete(clientId);
    this.closed.set(clientId, { handed, until: this.clock.now() + keptMilliseconds });
  }

  /**
   * Returns and removes the state of a session that was closed here and may not be written back yet. Handing it out
   * again, once the session has gone on, would repeat messages of QoS 2. `putBack`: no CONNECT went on with it.
   */
  take(clientId: string): { handed: HandedSession | null; putBack: () => void } {
    const closing = this.closing.get(clientId);
    const closed = this.closed.get(clientId);
    this.closing.delete(clientId);
    this.closed.delete(clientId);
    const putBack = (): void => {
      if (closing !== undefined) this.closing.set(clientId, closing);
      if (closed !== undefined) this.closed.set(clientId, closed);
    };
    return { handed: closing ?? closed?.handed ?? null, putBack };
  }
}
