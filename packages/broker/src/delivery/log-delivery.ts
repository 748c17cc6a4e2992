/** Messages that come from the logs of durable sessions, in the order of their numbers (P2, P3). */

import type { Publication } from '../message/publication.ts';
import type { Clock } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import { events } from '../ports/log-events.ts';
import type { LogStore } from '../ports/log-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { StoredOutbound } from '../ports/session-store.ts';
import type { CursorDelivery, LogCursor } from '../session/log-cursor.ts';
import type { Session } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';
import type { TurnClock } from '../work/turn-clock.ts';
import { type PublishWindow, sendPublish } from './deliver.ts';
import { LogPages } from './log-pages.ts';
import { mayReceive } from './receivers.ts';

export interface LogDeliveryParts {
  logStore: LogStore;
  writer: SessionWriter;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  limits: Limits;
  turn: TurnClock;
  upcalls: CursorDelivery['upcalls'];
  window: PublishWindow;
}

export class LogDelivery implements CursorDelivery {
  readonly logPages: LogPages;
  readonly upcalls: CursorDelivery['upcalls'];
  private readonly writer: SessionWriter;
  private readonly logger: Logger;
  private readonly metrics: Metrics;
  private readonly turn: TurnClock;
  private readonly window: PublishWindow;

  constructor({ logStore, writer, clock, logger, metrics, limits, turn, upcalls, window }: LogDeliveryParts) {
    this.logPages = new LogPages({ logStore, clock, logger, metrics, limits, turn });
    this.upcalls = upcalls;
    this.writer = writer;
    this.logger = logger;
    this.metrics = metrics;
    this.turn = turn;
    this.window = window;
  }

  /** Delivers a message of a log, in the order of its numbers, from bytes of its own. The window has room for it. */
  sendLogged(cursor: LogCursor, sequence: number, publication: Publication): void {
    const session = cursor.session;
    const subscription = cursor.subscription;
    if (!mayReceive(subscription, publication.publisher)) {
      cursor.acknowledge(sequence);
      return;
    }
    if (publication.isExpired(this.turn.now)) {
      this.metrics.dropped.expired++; // [MQTT-3.3.2-5]
      this.window.fates.dropped('expired', session.clientId, publication);
      cursor.acknowledge(sequence);
      return;
    }
    const qos = Math.min(publication.qos, cursor.grantedFor(sequence)) as 0 | 1 | 2;
    if (qos === 0) {
      this.window.send(publication, subscription, subscription.retainAsPublished && publication.retain);
      cursor.acknowledge(sequence);
      return;
    }
    const packetId = session.outboundInflight.take(qos, cursor, sequence, publication.size);
    const firstByte = 0x30 | (qos << 1) | (subscription.retainAsPublished && publication.retain ? 1 : 0);
    const filter = cursor.log.filter;
    // The log may drop it when it has expired; a message that was sent once is sent again all the same [MQTT-4.3.3-7].
    const expires = publication.expiresAt !== 0;
    if (expires) session.outboundInflight.keepContent(packetId, { publication, filter, member: null });
    if (qos === 1) {
      this.sendOrPass(session, cursor, sequence, publication, firstByte, packetId);
      return;
    }
    const record = expires ? publication.bytes : null;
    const stored: StoredOutbound = { packetId, state: 'sent', qos, filter, sequence, record };
    this.writer.setOutbound(session, stored, () => {
      if (!this.sendOrPass(session, cursor, sequence, publication, firstByte, packetId)) this.window.roomCame(session);
    });
  }

  /** Sends a message in flight. False: its packet identifier is free again. */
  private sendOrPass(
    session: Session,
    cursor: LogCursor,
    sequence: number,
    publication: Publication,
    firstByte: number,
    packetId: number,
  ): boolean {
    if (sendPublish(this.window, session.outlet, publication, firstByte, packetId, cursor.subscription.identifiers))
      return true;
    // Too large for this client: treated as delivered [MQTT-3.1.2-25].
    session.outboundInflight.release(packetId);
    this.writer.completed(session, packetId);
    cursor.acknowledge(sequence);
    return false;
  }

  /** Counts messages of a log that had expired before a session read them. */
  countExpired(count: number): void {
    this.metrics.dropped.expired += count;
  }

  countGap(): void {
    this.metrics.logGaps++;
  }

  unreadable(cursor: LogCursor, sequence: number, error: Error): void {
    this.metrics.storeErrors++;
    this.logger.error(events['log-message.skipped'], {
      filter: cursor.log.filter,
      sequence,
      error,
    });
  }

  markDirty(cursor: LogCursor): void {
    this.writer.cursorMoved(cursor);
  }
}
