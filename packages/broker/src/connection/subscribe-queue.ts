import { ProtocolError, ReasonCode } from '@dunlin/protocol';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import { StoreError } from '../ports/store-error.ts';
import type { Connection } from './connection.ts';
import { faulty, ruleBroken } from './faults.ts';

export interface SubscribeQueueParts {
  logger: Logger;
  metrics: Metrics;
}

export class SubscribeQueue {
  private readonly parts: SubscribeQueueParts;

  constructor(parts: SubscribeQueueParts) {
    this.parts = parts;
  }

  /**
   * Runs changes of a client's subscriptions one after the other: its own, and removals by new rules. Resolves when
   * this one is done.
   */
  inTurn(connection: Connection, work: () => Promise<void>): Promise<void> {
    const before = connection.subscribing;
    const done = (before === null ? work() : before.then(work)).catch((error: unknown) =>
      this.subscribeFailed(connection, error),
    );
    connection.subscribing = done;
    return done.then(() => {
      if (connection.subscribing === done) connection.subscribing = null;
    });
  }

  private subscribeFailed(connection: Connection, error: unknown): void {
    if (error instanceof ProtocolError) {
      ruleBroken(connection, error);
      return;
    }
    if (error instanceof StoreError && (error.code === 'fenced' || error.code === 'unknown-session')) {
      connection.fenced();
      return;
    }
    if (!(error instanceof StoreError)) {
      faulty(connection, events['subscribe.handle-failed'], error);
      return;
    }
    this.parts.metrics.storeErrors++;
    this.parts.logger.warn(events['subscription.store-failed'], {
      client: connection.session?.clientId,
      error,
    });
    connection.disconnect(ReasonCode.serverBusy, 'the session store is not available');
  }
}
