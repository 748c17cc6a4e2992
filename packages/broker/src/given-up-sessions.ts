/** Sessions that a worker gives up without writing what it knows of them: their lease has run out, or the store has gone back behind it. */
import { ReasonCode } from '@dunlin/protocol';
import type { Broker } from './broker.ts';
import type { DurableLog } from './durable-log.ts';
import type { Session } from './session.ts';
import { willDelaySeconds } from './will.ts';

const withoutLease = [ReasonCode.serverBusy, 'the worker has lost its lease of the session'] as const;
const storeIsOlder = [ReasonCode.serverShuttingDown, 'the store of the session has gone back'] as const;

export class GivenUpSessions {
  private readonly broker: Broker;
  /** Their claims are still in the store, in this worker's name. */
  private waiting: { session: Session; willDelaySeconds: number }[] = [];

  constructor(broker: Broker) {
    this.broker = broker;
  }

  /** Durable sessions end here without a word to the store. Returns how many there were. */
  giveUpDurable(why: readonly [reasonCode: number, reason: string] = withoutLease): number {
    const durable = [...this.broker.sessions.all()].filter((session) => session.stored);
    for (const session of durable) {
      this.waiting.push({ session, willDelaySeconds: willDelaySeconds(session) });
      this.giveUp(session, why);
    }
    return durable.length;
  }

  /** Whoever waits for an acknowledgement is sent away without it: the store may have had the message, and lost it. */
  private giveUpPublishes(): void {
    for (const connection of [...this.broker.connections])
      if (connection.acknowledgements !== null && connection.acknowledgements.length > 0)
        connection.disconnect(...storeIsOlder);
  }

  /** Every session ends here without a word to the store. */
  giveUpAll(): void {
    for (const session of [...this.broker.sessions.all()]) this.giveUp(session, withoutLease);
  }

  private giveUp(session: Session, [reasonCode, reason]: readonly [number, string]): void {
    this.broker.sessions.abandon(session);
    session.connection.disconnect(reasonCode, reason);
  }

  /** Nobody has taken them: they end in the store as for any lost connection, unless they have moved. */
  release(): void {
    const { store, clock, pendingWrites } = this.broker;
    for (const { session, willDelaySeconds } of this.waiting.splice(0)) {
      const dueAt = clock.now() + willDelaySeconds * 1000;
      pendingWrites.add('releasing a session that was given up', async () => {
        await store.scheduleWill(session.key, dueAt);
        await store.release(session.key, {}, clock.now());
      });
    }
  }

  /** The store has told that it went back. Numbers that logs give from here on are none that were lost: nobody but the sessions here has to start over. */
  storeSetBack(what: string): void {
    const { metrics, logger, durableFilters, hasLease, appends, trust } = this.broker;
    metrics.storeSetbacks++;
    trust.wentBack();
    const sessions = hasLease ? this.giveUpDurable(storeIsOlder) : 0;
    this.giveUpPublishes();
    appends.giveUpPublishes();
    if (hasLease) this.release();
    durableFilters.setBack();
    logger.error('the store has gone back: it came from an older copy, or empty; durable sessions start over', {
      ...{ what, sessions },
    });
  }

  /**
   * The store has less than this worker knows of: it came back from an older copy, or empty. What was acknowledged and is not in it is lost; whoever went on with what
   * he remembers would wait for numbers that come again, deaf to what they carry. So every durable session here starts over, from what the store has: its client is
   * sent away (0x8B) and comes back. Nothing of them is written but that they are free. `unharmed`: a log whose only reader here has had nothing that is gone.
   */
  storeWentBack(log: DurableLog, end: number, unharmed: boolean): void {
    const { metrics, logger, durableFilters, hasLease } = this.broker;
    metrics.storeSetbacks++;
    const had = Math.max(log.heard, log.lastSequence);
    // Without a lease they were given up already, and are not released before it is regained.
    const sessions = unharmed || !hasLease ? 0 : this.giveUpDurable(storeIsOlder);
    if (hasLease) this.release();
    log.setBack(end);
    durableFilters.setBack();
    logger.error('the store has gone back: it came from an older copy, or empty; durable sessions start over', {
      ...{ filter: log.filter, had, has: end, sessions },
    });
  }
}
