/**
 * Messages to one session: its window, what waits behind it, what comes from its logs (P1, P3, P7).
 *
 * A QoS 1 or 2 message leaves when the window has room. For an ephemeral session the rest waits in memory within
 * limits; for a durable one it waits in the log. A QoS 2 message from a log is sent only once the store knows its
 * packet identifier (P2).
 */

import { recordAsSent } from '../message/identifier-properties.ts';
import { RecordError, readRecord, writeRecord } from '../message/message-record.ts';
import type { Publication } from '../message/publication.ts';
import type { Outlet } from '../output/outlet.ts';
import type { Clock } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { StoredOutbound } from '../ports/session-store.ts';
import type { Store } from '../ports/store.ts';
import type { Tracer } from '../ports/tracer.ts';
import type { DurableLog } from '../session/durable-log.ts';
import { type InflightContent, InflightState } from '../session/inflight.ts';
import type { CursorDelivery, LogCursor } from '../session/log-cursor.ts';
import type { Session } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';
import { recordOf } from '../session/stored-inflight.ts';
import type { Subscription } from '../session/subscription.ts';
import type { TurnClock } from '../work/turn-clock.ts';
import { sendPublish } from './deliver.ts';
import { LogPages } from './log-pages.ts';
import { mayReceiveLogged } from './receivers.ts';

/** Pause before the store is asked again for what it failed to return. */
const readRetryMilliseconds = 500;

/** Events of a delivery that higher rooms are told. */
export interface DeliveryUpcalls {
  /** A session with group messages in flight has room for more. */
  groupRoomCame(session: Session): void;
  /** A log ends before a number that was announced. `unharmed`: a cursor that has not passed that end. */
  storeWentBack(log: DurableLog, end: number, unharmed: LogCursor | null): void;
}

export interface SessionDeliveryParts {
  store: Store;
  writer: SessionWriter;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  limits: Limits;
  tracer: Tracer | null;
  turn: TurnClock;
  upcalls: DeliveryUpcalls;
}

export class SessionDelivery implements CursorDelivery {
  readonly metrics: Metrics;
  private readonly store: Store;
  private readonly writer: SessionWriter;
  private readonly logger: Logger;
  private readonly limits: Limits;
  /** Tracer; null: nothing is traced. */
  readonly tracer: Tracer | null;
  readonly upcalls: DeliveryUpcalls;
  readonly logPages: LogPages;
  private readonly failedResends = new Set<Session>();
  readonly turn: TurnClock;

  constructor({ store, writer, clock, logger, metrics, limits, tracer, turn, upcalls }: SessionDeliveryParts) {
    this.store = store;
    this.tracer = tracer;
    this.upcalls = upcalls;
    this.writer = writer;
    this.logger = logger;
    this.metrics = metrics;
    this.limits = limits;
    this.turn = turn;
    this.logPages = new LogPages(this, store, clock, logger, limits);
    clock.every(readRetryMilliseconds, () => this.retry());
  }

  /**
   * True if a QoS 0 message may be added for a client. Where the socket is congested, up to a limit; a drop is counted.
   */
  mayQueueQos0(outlet: Outlet): boolean {
    if (!outlet.output.congested) return true;
    if (outlet.output.closed) return false;
    if (outlet.output.pendingBytes < this.limits.outputBufferBytesMax) return true;
    this.metrics.dropped['outbox-full']++;
    return false;
  }

  /** Delivers a live message for one subscription. A publication that lies in a chunk is copied if it has to wait. */
  send(publication: Publication, subscription: Subscription, retain: boolean): void {
    const session = subscription.session;
    const { outlet } = session;
    const qos = Math.min(publication.qos, subscription.qos) as 0 | 1 | 2;
    if (qos === 0) {
      if (!this.mayQueueQos0(outlet)) return;
      sendPublish(this, outlet, publication, 0x30 | (retain ? 1 : 0), 0, subscription.identifiers);
    } else if (session.ended) {
      return; // its subscriptions are being taken out of force
    } else if (session.hasRoom && (session.waiting === null || session.waiting.length === 0)) {
      this.sendNow(session, publication, subscription, qos, retain);
    } else {
      this.wait(session, publication, subscription, qos, retain);
    }
  }

  private sendNow(
    session: Session,
    publication: Publication,
    subscription: Subscription,
    qos: 1 | 2,
    retain: boolean,
  ): void {
    const outbound = session.outboundInflight;
    const packetId = outbound.take(qos, null, 0);
    const firstByte = 0x30 | (qos << 1) | (retain ? 1 : 0);
    if (subscription.isShared || (retain && session.stored)) {
      const content = contentFor(subscription, keep(publication));
      outbound.keepContent(packetId, content);
      // A message that a member leaves unacknowledged goes to another, except QoS 2, which stays with the member
      // [MQTT-4.8.2-4].
      if (session.stored && (!subscription.isShared || qos === 2)) {
        this.sendRecorded(session, packetId, qos, content, firstByte);
        return;
      }
    }
    if (!sendPublish(this, session.outlet, publication, firstByte, packetId, subscription.identifiers)) {
      outbound.release(packetId);
    }
  }

  /**
   * Delivers a retained message to a durable session: it is in no log, so the store keeps it with its packet
   * identifier.
   */
  private sendRecorded(
    session: Session,
    packetId: number,
    qos: 1 | 2,
    { publication, filter, member }: InflightContent,
    firstByte: number,
  ): void {
    const record = publication.bytes;
    const stored: StoredOutbound = { packetId, state: 'sent', qos, filter, sequence: 0, record };
    this.writer.setOutbound(session, stored, () => {
      const fits = sendPublish(this, session.outlet, publication, firstByte, packetId, member?.identifiers ?? null);
      if (fits) return;
      session.outboundInflight.release(packetId);
      this.writer.completed(session, packetId);
      this.roomCame(session); // the client acknowledges nothing of it
    });
  }

  private wait(
    session: Session,
    publication: Publication,
    subscription: Subscription,
    qos: 1 | 2,
    retain: boolean,
  ): void {
    const waiting = session.waitingMessages;
    if (
      waiting.length >= this.limits.queuedMessagesMax ||
      waiting.bytes + publication.size > this.limits.queuedBytesMax
    ) {
      this.metrics.dropped['queue-full']++;
      if (this.limits.queuePolicy === 'disconnect') session.connection.quotaExceeded();
      if (this.limits.queuePolicy !== 'drop-oldest') return;
      if (waiting.shift() !== undefined) this.metrics.messagesWaiting--;
    }
    this.metrics.messagesWaiting++;
    waiting.push({ publication: keep(publication), subscription, qos, retain });
  }

  /** Delivers a message of a log, in the order of its numbers, from bytes of its own. The window has room for it. */
  sendLogged(cursor: LogCursor, sequence: number, publication: Publication): void {
    const session = cursor.session;
    const subscription = cursor.subscription;
    if (!mayReceiveLogged(subscription, publication.publisher)) {
      cursor.acknowledge(sequence);
      return;
    }
    if (publication.isExpired(this.turn.now)) {
      this.metrics.dropped.expired++; // [MQTT-3.3.2-5]
      cursor.acknowledge(sequence);
      return;
    }
    const qos = Math.min(publication.qos, cursor.grantedFor(sequence)) as 0 | 1 | 2;
    if (qos === 0) {
      this.send(publication, subscription, subscription.retainAsPublished && publication.retain);
      cursor.acknowledge(sequence);
      return;
    }
    const packetId = session.outboundInflight.take(qos, cursor, sequence);
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
      if (!this.sendOrPass(session, cursor, sequence, publication, firstByte, packetId)) this.roomCame(session);
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
    if (sendPublish(this, session.outlet, publication, firstByte, packetId, cursor.subscription.identifiers))
      return true;
    // Too large for this client: treated as delivered [MQTT-3.1.2-25].
    session.outboundInflight.release(packetId);
    this.writer.completed(session, packetId);
    cursor.acknowledge(sequence);
    return false;
  }

  /** A packet identifier became free: waiting messages are sent. */
  roomCame(session: Session): void {
    if (session.resends !== null) this.resendMore(session);
    const waiting = session.waiting;
    while (waiting !== null && waiting.length > 0 && session.hasRoom) {
      const message = waiting.shift();
      if (message === undefined) break;
      this.metrics.messagesWaiting--;
      if (message.publication.isExpired(this.turn.now)) {
        this.metrics.dropped.expired++;
        continue;
      }
      message.publication.forgetVariants(); // the rest of its message expiry has changed
      this.sendNow(session, message.publication, message.subscription, message.qos, message.retain);
    }
    if (session.behind !== null && !session.pumping) this.logPages.pumpBehind(session);
    if (session.groupMembers !== null) this.upcalls.groupRoomCame(session);
    session.outlet.roomCame();
  }

  /**
   * Sends everything in flight again after a reconnect, in its order, with its packet identifiers [MQTT-4.4.0-1],
   * [MQTT-4.6.0-1]: what the window has room for now, the rest as acknowledgements come. New messages wait until then.
   * Rejects with StoreError.
   */
  async resend(session: Session): Promise<void> {
    const { resends } = session;
    if (resends === null || resends.isReading) return;
    resends.isReading = true;
    let gone = 0;
    try {
      for (let batch = resends.next(session.resendRoom); batch.length > 0; batch = resends.next(session.resendRoom)) {
        const contents = await Promise.all(
          batch.map((message) => (message.state === 'sent' ? this.contentOf(message) : null)),
        );
        if (session.ended) return;
        for (let i = 0; i < batch.length; i++) {
          const message = batch[i];
          resends.sent();
          if (message.state === 'released') session.outlet.sendAcknowledgement(6, message.packetId, 0);
          else gone += this.resendPublish(session, message, contents[i]);
          if (session.ended) return;
        }
      }
    } finally {
      resends.isReading = false;
      if (gone > 0) {
        const fields = { client: session.clientId, messages: gone };
        this.logger.warn('messages in flight are not sent again: their logs have dropped them', fields);
      }
    }
    if (resends.left === 0) session.resends = null;
  }

  /** The window has room again for messages to resend; after the last one, for waiting messages. */
  private resendMore(session: Session): void {
    this.resend(session).then(
      () => {
        if (session.resends === null && !session.ended) this.roomCame(session);
      },
      (error: unknown) => {
        this.metrics.storeErrors++;
        const fields = { client: session.clientId, error };
        this.logger.warn('messages in flight could not be read; it will be tried again', fields);
        this.failedResends.add(session);
      },
    );
  }

  /** Sends the next ones again. Returns how many are gone. */
  private resendPublish(session: Session, message: StoredOutbound, publication: Publication | null): 0 | 1 {
    // Acknowledged since, by a fast client.
    if (session.outbound?.stateOf(message.packetId) === InflightState.none) return 0;
    if (publication === null) {
      this.giveUp(session, message);
      return 1;
    }
    const subscription = session.subscriptions.get(message.filter);
    // Without a filter it is sent as before.
    const isAsSent = message.filter === '';
    const retain = isAsSent
      ? publication.retain
      : message.sequence === 0 || (publication.retain && subscription?.retainAsPublished === true);
    const firstByte = 0x38 | (message.qos << 1) | (retain ? 1 : 0); // DUP is set [MQTT-3.3.1-1]
    const identifiers = subscription?.identifiers ?? null;
    const fits = sendPublish(this, session.outlet, publication, firstByte, message.packetId, identifiers);
    if (!fits) this.giveUp(session, message); // the client's maximum packet size is smaller than before [MQTT-3.1.2-25]
    return 0;
  }

  /**
   * Ends a message without sending it again. The client may have a QoS 2 message: it gets PUBREL, so that it releases
   * the identifier before that stands for another message, which it would take for the same one.
   */
  private giveUp(session: Session, { packetId, qos, filter, sequence }: StoredOutbound): void {
    const { outboundInflight: outbound, outlet } = session;
    if (qos === 2) {
      outbound.setReleased(packetId);
      const released: StoredOutbound = { packetId, state: 'released', qos, filter, sequence, record: null };
      this.writer.setOutbound(session, released, () => outlet.sendAcknowledgement(6, packetId, 0));
      return;
    }
    this.writer.completed(session, packetId);
    outbound.release(packetId);
    session.subscriptions.get(filter)?.cursor?.acknowledge(sequence);
  }

  /** Content of a message in flight; null: it does not exist any more. */
  async contentOf(message: StoredOutbound): Promise<Publication | null> {
    const record = await recordOf(this.store, message);
    if (record === null) return null;
    try {
      return readRecord(record);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.logger.error('a message in flight cannot be read and is passed over', { filter: message.filter, error });
      return null;
    }
  }

  private retry(): void {
    this.turn.renew();
    this.logPages.retry();
    for (const session of [...this.failedResends]) {
      this.failedResends.delete(session);
      if (!session.ended) this.resendMore(session);
    }
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
    this.logger.error('a stored message cannot be read and is passed over', {
      filter: cursor.log.filter,
      sequence,
      error,
    });
  }

  markDirty(cursor: LogCursor): void {
    this.writer.cursorMoved(cursor);
  }
}

/**
 * Stored content of a message in flight that is in no log. A retained one is kept as it is sent, whatever becomes of
 * its subscription.
 */
function contentFor(subscription: Subscription, publication: Publication): InflightContent {
  const { isShared, filter, identifiers } = subscription;
  if (isShared) return { publication, filter, member: subscription };
  const record = recordAsSent(publication.bytes, identifiers, true);
  const asSent = record === publication.bytes ? publication : readRecord(record);
  return { publication: asSent, filter: '', member: null };
}

/** A publication that outlives the turn: the same if it has a buffer of its own already, else a copy. */
export function keep(publication: Publication): Publication {
  return publication.lent ? readRecord(writeRecord(publication)) : publication;
}
