/**
 * Messages to one session: its window, and what waits behind it (P1, P3, P7). Messages that come from its logs are in
 * log-delivery.ts, those that were in flight before a reconnect in resend.ts.
 *
 * A QoS 1 or 2 message leaves when the window has room. For an ephemeral session the rest waits in memory within
 * limits; for a durable one it waits in the log.
 */

import type { MemoryLevel } from '../guards/memory-level.ts';
import type { Fates } from '../message/fates.ts';
import { recordAsSent } from '../message/identifier-properties.ts';
import { readRecord, writeRecord } from '../message/message-record.ts';
import type { Publication } from '../message/publication.ts';
import type { Outlet } from '../output/outlet.ts';
import type { Clock } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import type { LogStore } from '../ports/log-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { StoredOutbound } from '../ports/session-store.ts';
import type { Tracer } from '../ports/tracer.ts';
import type { DurableLog } from '../session/durable-log.ts';
import type { InflightContent } from '../session/inflight.ts';
import type { LogCursor } from '../session/log-cursor.ts';
import type { Session } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';
import type { Subscription } from '../session/subscription.ts';
import type { TurnClock } from '../work/turn-clock.ts';
import { type PublishWindow, sendPublish } from './deliver.ts';
import { LogDelivery } from './log-delivery.ts';
import { Resending } from './resend.ts';

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
  logStore: LogStore;
  writer: SessionWriter;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  limits: Limits;
  memory: MemoryLevel;
  tracer: Tracer | null;
  turn: TurnClock;
  fates: Fates;
  upcalls: DeliveryUpcalls;
}

/** Bytes that wait for one client above which it gets no QoS 0 while memory is scarce: 500 slow clients have 2 GiB of `outputBufferBytesMax`. */
const scarceBytesMax = 64 * 1024;

export class SessionDelivery implements PublishWindow {
  readonly metrics: Metrics;
  readonly fates: Fates;
  private readonly writer: SessionWriter;
  private readonly limits: Limits;
  private readonly memory: MemoryLevel;
  /** Tracer; null: nothing is traced. */
  readonly tracer: Tracer | null;
  private readonly upcalls: DeliveryUpcalls;
  /** Messages that come from logs. */
  readonly logs: LogDelivery;
  /** Messages that were in flight before a reconnect. */
  readonly resending: Resending;
  readonly turn: TurnClock;

  constructor(parts: SessionDeliveryParts) {
    const { logStore, writer, clock, logger, metrics, limits, tracer, turn, upcalls } = parts;
    this.tracer = tracer;
    this.upcalls = upcalls;
    this.writer = writer;
    this.metrics = metrics;
    this.fates = parts.fates;
    this.limits = limits;
    this.memory = parts.memory;
    this.turn = turn;
    this.logs = new LogDelivery({ logStore, writer, clock, logger, metrics, limits, turn, upcalls, window: this });
    this.resending = new Resending({ logStore, writer, logger, metrics, window: this });
    clock.every(readRetryMilliseconds, () => this.retry());
  }

  /**
   * True if a QoS 0 message may be added for a client. Where the socket is congested, up to a limit, and none for a
   * client that is over a rate, or where memory is scarce; a drop is counted.
   */
  mayQueueQos0(outlet: Outlet): boolean {
    if (!outlet.output.isCongested) return true;
    const refusal = this.qos0Refusal(outlet);
    if (refusal === null) return true;
    if (refusal !== 'closed') this.metrics.dropped[refusal]++;
    return false;
  }

  /** Notes a message that `mayQueueQos0` has turned down. */
  notQueued(outlet: Outlet, publication: Publication): void {
    const refusal = this.qos0Refusal(outlet);
    if (refusal !== null && refusal !== 'closed') this.fates.dropped(refusal, outlet.clientId, publication);
  }

  /** Reason why no QoS 0 message may be added for a client now; null: none. */
  qos0Refusal({ output }: Outlet): 'closed' | 'over-rate' | 'outbox-full' | null {
    if (!output.isCongested) return null;
    if (output.isClosed) return 'closed';
    if (output.isHeldForRate) return 'over-rate';
    const { pendingBytes } = output;
    const isRoom = pendingBytes < scarceBytesMax || !this.memory.isScarce(this.limits.memoryHighPercent);
    if (isRoom && pendingBytes < this.limits.outputBufferBytesMax && !this.memory.isCritical) return null;
    return 'outbox-full';
  }

  /** True if a message of this size has no room among those that wait for the window of an ephemeral session. */
  isQueueFull({ waiting }: Session, bytes: number): boolean {
    const { queuedMessagesMax, queuedBytesMax } = this.limits;
    if (waiting === null) return bytes > queuedBytesMax;
    return waiting.length >= queuedMessagesMax || waiting.bytes + bytes > queuedBytesMax;
  }

  /** Delivers a live message for one subscription. A publication that lies in a chunk is copied if it has to wait. */
  send(publication: Publication, subscription: Subscription, retain: boolean): void {
    const session = subscription.session;
    const { outlet } = session;
    const qos = Math.min(publication.qos, subscription.qos) as 0 | 1 | 2;
    if (qos === 0) {
      if (!this.mayQueueQos0(outlet)) {
        this.notQueued(outlet, publication);
        return;
      }
      sendPublish(this, outlet, publication, 0x30 | (retain ? 1 : 0), 0, subscription.identifiers);
    } else if (session.hasEnded) {
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
    const packetId = outbound.take(qos, null, 0, publication.size);
    const firstByte = 0x30 | (qos << 1) | (retain ? 1 : 0);
    if (subscription.isShared || (retain && session.isStored)) {
      const content = contentFor(subscription, keep(publication));
      outbound.keepContent(packetId, content);
      // A message that a member leaves unacknowledged goes to another, except QoS 2, which stays with the member
      // [MQTT-4.8.2-4].
      if (session.isStored && (!subscription.isShared || qos === 2)) {
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
    if (this.isQueueFull(session, publication.size)) {
      this.metrics.dropped['queue-full']++;
      const goes =
        this.limits.queuePolicy === 'drop-oldest' ? (waiting.first?.publication ?? publication) : publication;
      this.fates.dropped('queue-full', session.clientId, goes);
      if (this.limits.queuePolicy === 'disconnect') session.connection.quotaExceeded();
      if (this.limits.queuePolicy !== 'drop-oldest') return;
      if (waiting.shift() !== undefined) this.metrics.messagesWaiting--;
    }
    this.metrics.messagesWaiting++;
    waiting.push({ publication: keep(publication), subscription, qos, retain });
  }

  /** A packet identifier became free: waiting messages are sent. */
  roomCame(session: Session): void {
    if (!session.isCompared) session.compareWithRules();
    if (session.resends !== null) this.resending.more(session);
    const waiting = session.waiting;
    while (waiting !== null && waiting.length > 0 && session.hasRoom) {
      const message = waiting.shift();
      if (message === undefined) break;
      this.metrics.messagesWaiting--;
      if (message.publication.isExpired(this.turn.now)) {
        this.metrics.dropped.expired++;
        this.fates.dropped('expired', session.clientId, message.publication);
        continue;
      }
      const { publication, subscription, qos, retain } = message;
      publication.forgetVariants(); // the rest of its message expiry has changed
      this.sendNow(session, publication, subscription, qos, retain);
      publication.dropVariants(); // it may wait in other sessions still
    }
    if (session.behind !== null && !session.isPumping) this.logs.logPages.pumpBehind(session);
    if (session.groupMembers !== null) this.upcalls.groupRoomCame(session);
    session.outlet.roomCame();
  }

  private retry(): void {
    this.turn.renew();
    this.logs.logPages.retry();
    this.resending.retry();
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

/**
 * A publication that outlives the turn: the same if it has a buffer of its own already, else a copy, the same for
 * everybody.
 */
export function keep(publication: Publication): Publication {
  if (!publication.isLent) return publication;
  publication.kept ??= readRecord(writeRecord(publication));
  return publication.kept;
}
