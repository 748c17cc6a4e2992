/**
 * PUBLISH (MQTT 5 section 3.3, MQTT 3.1.1 section 3.3): read in place, matched, and handled in one of these ways
 * (`classify`).
 *
 * ```
 *   way         packets                                  checks
 *               answer                                   goes on in
 *   batch       QoS 0 or 1 without DUP and RETAIN, for   rules, once for a topic (QoS 0)
 *               sessions and other endpoints alone
 *               none; PUBACKs of a batch together        delivery/publish-batch.ts
 *   direct      all others, without an authorizer        RETAIN, QoS, Receive Maximum (QoS 2)
 *               PUBACK or PUBREC when it is safe         accept-publish.ts
 *   authorized  all others, with an authorizer;          the same, then rules
 *               `$` topics
 *               the same; 0x87, or as configured         authorize-publish.ts
 *   repeated    QoS 2, identifier in use for this        RETAIN, QoS; rules if it is routed
 *               message
 *               PUBREC, behind the first one             receivedRepeated
 *   replaced    QoS 2, identifier in use for another     RETAIN, QoS; rules
 *               message
 *               as direct or authorized                  receivedReplaced
 * ```
 *
 * Every way but the first flushes the batch before it, so that the order stays. The acknowledgement comes last: it is
 * sent when nothing that it waits for is open.
 */

import { ProtocolError, PublishView, ReasonCode, readPublish } from '@dunlin/protocol';
import type { Connection } from '../connection/connection.ts';
import { neverReleased } from '../connection/faults.ts';
import type { PublishPacketHandler } from '../connection/packet-handlers.ts';
import { batchHeaders } from '../delivery/batch-packets.ts';
import type { PublishBatch } from '../delivery/publish-batch.ts';
import { keep } from '../delivery/session-delivery.ts';
import { beginPublish, endPublish, mayBeTraced, takeTraced } from '../delivery/traced-publish.ts';
import { UnreleasedMessages } from '../guards/unreleased-messages.ts';
import { contentDigest } from '../message/content-digest.ts';
import { requireTopicLength } from '../message/name-length.ts';
import { Publication } from '../message/publication.ts';
import { placeInPacket } from '../message/publish-in-place.ts';
import { ConnectionState } from '../output/connection-state.ts';
import type { Authorizer } from '../ports/authorizer.ts';
import type { Clock } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import { events } from '../ports/log-events.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Tracer } from '../ports/tracer.ts';
import type { Session } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';
import type { SubscriptionTree } from '../subscriptions/subscription-tree.ts';
import type { TopicMatch, TopicMatches } from '../subscriptions/topic-match.ts';
import { nextTurn } from '../work/in-slices.ts';
import type { RareWarnings } from '../work/rare-warnings.ts';
import type { TurnClock } from '../work/turn-clock.ts';
import { acknowledge, type PublishAcceptance } from './accept-publish.ts';
import type { Answer, PublishAuthorization } from './authorize-publish.ts';

/** Shared by all connections of a worker: a publish no longer needs them when the next one begins. */
const view = new PublishView();
const scratch = new Publication();

/** MQTT.js, which Node-RED builds on, wrote 3,000 messages at once where 1,000 were asked for. */
const receiveMaximumTolerance = 8;

/** Counter of messages that clients of MQTT 3 do not release; it ends those that have too many. */
export function countUnreleased(limits: Limits, clock: Clock): UnreleasedMessages<Connection> {
  const window = receiveMaximumTolerance * limits.receiveMaximum;
  return new UnreleasedMessages(window, limits.unreleasedMessagesMax, (connection, messages) => {
    // Later: a packet of this or of another client is being handled.
    clock.nextTurn(() => neverReleased(connection, messages));
  });
}

/**
 * Work of finding receivers of topics that no cache knows, for one turn: nodes and receivers, about 2 ms. A usual topic
 * takes ten.
 */
export const matchWorkMax = 20_000;

/** The table above. */
const Way = { batch: 0, direct: 1, authorized: 2, repeated: 3, replaced: 4 } as const;

function countReceived(metrics: Metrics, qos: 0 | 1 | 2, bytes: number): void {
  if (qos === 1) {
    metrics.publishesReceived1++;
    metrics.publishBytesReceived1 += bytes;
  } else {
    metrics.publishesReceived2++;
    metrics.publishBytesReceived2 += bytes;
  }
}

/**
 * True for a packet that may join a batch: its first byte has neither DUP nor RETAIN, and its receivers are sessions
 * alone, here or at other endpoints. Rules may differ by QoS, and only their answer for QoS 0 is cached.
 */
function acceptsBatch(header: number, match: TopicMatch, authorizer: Authorizer | null): boolean {
  if (header === batchHeaders[0]) return match.acceptsBatches;
  return header === batchHeaders[1] && match.acceptsKeptBatches && authorizer === null;
}

/**
 * A traced publish joins a batch only where no trace context is written, neither for subscribers nor for other
 * endpoints.
 */
function mayJoinBatch({ trace, qos }: Publication, match: TopicMatch, tracer: Tracer | null): boolean {
  return trace === null || (qos === 0 && match.endpoints.length === 0 && tracer !== null && !tracer.writesContext);
}

function isTopic(topic: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (topic.length !== end - start) return false;
  for (let i = 0, at = start; at < end; i++, at++) if (topic[i] !== bytes[at]) return false;
  return true;
}

export interface PublishHandlerParts {
  limits: Limits;
  metrics: Metrics;
  tracer: Tracer | null;
  authorizer: Authorizer | null;
  clock: Clock;
  turn: TurnClock;
  tree: SubscriptionTree;
  matches: TopicMatches;
  publishBatch: PublishBatch;
  writer: SessionWriter;
  warnings: RareWarnings;
  unreleased: UnreleasedMessages<Connection>;
  acceptance: PublishAcceptance;
  authorization: PublishAuthorization;
}

export class PublishHandler implements PublishPacketHandler {
  private readonly parts: PublishHandlerParts;
  /** Answer of the authorizer for the packet that is classified; null: it was not asked yet. */
  private answer: Answer = null;

  constructor(parts: PublishHandlerParts) {
    this.parts = parts;
  }

  handle(
    connection: Connection,
    session: Session,
    header: number,
    bytes: Buffer,
    start: number,
    bodyStart: number,
    end: number,
  ): void {
    const { parts } = this;
    const { version5 } = connection;
    readPublish(view, header, bytes, bodyStart, end, connection.version);
    const publication = scratch;
    placeInPacket(publication, view, bytes, start, version5, parts.turn, connection.inboundAliases);
    const match = this.matchTopic(connection, publication);
    parts.metrics.publishesReceived++;
    parts.metrics.publishBytesReceived += end - start;
    const { tracer } = this.parts;
    if (tracer !== null) {
      publication.trace = null;
      publication.span = null;
      if (mayBeTraced(tracer, publication)) beginPublish(session, tracer, publication, parts.turn.now);
    }
    const way = this.classify(connection, session, header, bytes, match);
    if (way !== Way.batch) {
      parts.publishBatch.flush();
      parts.metrics.payloadBytesReceived += end - view.payloadStart; // a batch counts its own
      if (publication.qos > 0) countReceived(parts.metrics, publication.qos, end - start);
      publication.publisher = session.clientId;
      this.checkAvailable(publication);
    }
    const { packetId } = view;
    switch (way) {
      case Way.batch:
        if (packetId !== 0) countReceived(parts.metrics, 1, end - start);
        parts.publishBatch.add(bytes, start, end, match, session, view);
        if (publication.trace !== null) this.traceInBatch(publication);
        if (parts.matches.work > matchWorkMax) this.giveBackTurn(connection);
        return;
      case Way.direct:
        if (publication.qos === 2) this.checkReceiveMaximum(connection, session);
        parts.acceptance.acceptPublish(connection, session, publication, match, packetId);
        break;
      case Way.authorized:
        if (publication.qos === 2) this.checkReceiveMaximum(connection, session);
        parts.authorization.publishIfAllowed(connection, session, publication, match, packetId, this.answer);
        break;
      case Way.repeated:
        this.receivedRepeated(connection, session, publication, match, packetId);
        break;
      case Way.replaced:
        this.receivedReplaced(connection, session, publication, packetId);
        break;
    }
    if (publication.span !== null) endPublish(publication, 0);
    if (parts.matches.work > matchWorkMax) this.giveBackTurn(connection);
  }

  /** Lets the client wait for the next turn, when its topics were costly to match: others are served in between. */
  private giveBackTurn(connection: Connection): void {
    const { matches, clock } = this.parts;
    matches.work = 0;
    const { holding } = connection;
    if (!holding.isOn && connection.state === ConnectionState.connected) holding.until(nextTurn(clock));
  }

  /** The way of the packet in `view` and `scratch`. Sets `answer` where it asks the authorizer. */
  private classify(connection: Connection, session: Session, header: number, bytes: Buffer, match: TopicMatch): number {
    const { authorizer, tracer, limits, authorization } = this.parts;
    const publication = scratch;
    if (authorizer !== null) this.answer = null;
    if (mayJoinBatch(publication, match, tracer) && !match.isRestricted && acceptsBatch(header, match, authorizer)) {
      if (authorizer !== null)
        this.answer = connection.allowedMatch === match || authorization.authorizeMatch(connection, session, match);
      const isAllowed = authorizer === null || this.answer === true;
      if (isAllowed && publication.bytes === bytes && publication.qos <= limits.maximumQos) return Way.batch;
    }
    // Whether DUP is set or not. With DUP it may be a message that the store has lost by coming back with older data.
    if (publication.qos === 2 && session.inbound?.has(view.packetId))
      return session.inbound.isOther(view.packetId, contentDigest(publication)) ? Way.replaced : Way.repeated;
    return match.isRestricted || authorizer !== null ? Way.authorized : Way.direct;
  }

  private traceInBatch(publication: Publication): void {
    const traced = takeTraced(publication);
    if (traced !== null) this.parts.publishBatch.trace(traced);
  }

  private checkAvailable({ retain, qos }: Publication): void {
    const { limits } = this.parts;
    if (retain && !limits.retainAvailable) {
      throw new ProtocolError(
        ReasonCode.retainNotSupported,
        'retained messages are not supported here',
        'MQTT-3.2.2-14',
      );
    }
    if (qos > limits.maximumQos) {
      throw new ProtocolError(ReasonCode.qosNotSupported, `QoS ${qos}; at most ${limits.maximumQos}`, 'MQTT-3.2.2-11');
    }
  }

  private matchTopic(connection: Connection, publication: Publication): TopicMatch {
    const { limits, matches, tree } = this.parts;
    const { bytes, topicStart, topicEnd } = publication;
    const last = connection.lastMatch;
    if (last !== null && last.version === tree.version && isTopic(last.bytes, bytes, topicStart, topicEnd)) return last;
    requireTopicLength(topicEnd - topicStart, limits.topicBytesMax);
    const match = matches.find(bytes, topicStart, topicEnd);
    connection.lastMatch = match;
    return match;
  }

  /**
   * Refuses unreleased messages of QoS 2 beyond a multiple of our Receive Maximum [MQTT-3.3.4-7]. Exceeding the maximum
   * itself is tolerated: clients without flow control write a burst before they read the first PUBREC. While PUBACKs
   * and PUBRECs wait here, for the store or for other endpoints, the socket is not read (connection/reading.ts), as for
   * MQTT 3 clients, which know no such limit: those have a bound together (guards/unreleased-messages.ts). Messages whose PUBREC waits here do not count against the client, nor do
   * those that it left unreleased on another connection (MQTT 5 section 4.9).
   */
  private checkReceiveMaximum(connection: Connection, session: Session): void {
    if (session.inbound === null) return;
    const unreleased = session.inbound.countHere - (connection.outlet.acknowledgements?.pubrecs ?? 0);
    const most = receiveMaximumTolerance * this.parts.limits.receiveMaximum;
    if (unreleased < most) return;
    if (!connection.version5) {
      this.parts.unreleased.received(connection, unreleased + 1);
      return;
    }
    throw new ProtocolError(ReasonCode.receiveMaximumExceeded, `${most} messages of QoS 2 unreleased`, 'MQTT-3.3.4-7');
  }

  /**
   * A QoS 2 message that was received before and not released yet. It is not routed again [MQTT-4.3.3-10], unless a
   * former owner of the session received it, which may have died before routing it.
   */
  private receivedRepeated(
    connection: Connection,
    session: Session,
    publication: Publication,
    match: TopicMatch,
    packetId: number,
  ): void {
    // Its first PUBREC may still wait for the store or for other endpoints. This one follows it: every PUBLISH gets its
    // own [MQTT-4.3.3-10].
    const first = connection.outlet.acknowledgements?.pubrecOf(packetId) ?? null;
    if (first !== null) {
      acknowledge(connection, 2, packetId, first.reasonCode);
      connection.reading.acknowledgementPending();
      return;
    }
    const number = session.inboundInflight.takeDoubt(packetId);
    if (number === null || match.isRestricted) {
      this.parts.acceptance.acknowledgeAgain(connection, session, packetId);
      return;
    }
    const settle = (allowed: boolean, kept: Publication, current: TopicMatch): void => {
      if (allowed) this.parts.acceptance.acceptAgain(connection, session, kept, current, packetId, number);
      else this.parts.acceptance.acknowledgeAgain(connection, session, packetId); // it was accepted, and is in the logs
    };
    // Authorized again, with the topic and RETAIN of this packet.
    const answer = this.parts.authorization.mayPublish(connection, session, publication, match.topic);
    if (typeof answer === 'boolean') {
      settle(answer, publication, match);
      return;
    }
    const kept = keep(publication);
    const { matches } = this.parts;
    connection.holding.untilAnswered(answer, (allowed) =>
      settle(allowed, kept, matches.find(kept.bytes, kept.topicStart, kept.topicEnd)),
    );
  }

  /**
   * Another message under an identifier that was not released: the client has lost its state with its process, and
   * counts from 1 again. [MQTT-4.3.3-10] asks to acknowledge and discard it; it is a new message, and the earlier one
   * is complete.
   */
  private receivedReplaced(connection: Connection, session: Session, publication: Publication, packetId: number): void {
    const { parts } = this;
    parts.warnings.warn(events['packet-identifier.reused'], session.clientId, {
      packetId,
      topic: publication.topic(),
    });
    session.inboundInflight.delete(packetId);
    const go = (taken: Publication): void => {
      const match = parts.matches.find(taken.bytes, taken.topicStart, taken.topicEnd);
      if (match.isRestricted || parts.authorizer !== null)
        this.parts.authorization.publishIfAllowed(connection, session, taken, match, packetId, null);
      else this.parts.acceptance.acceptPublish(connection, session, taken, match, packetId);
    };
    if (!session.isStored) {
      go(publication);
      return;
    }
    // After the store has deleted the earlier one: written together, it might delete the one that is to stay.
    const kept = keep(publication);
    const forgotten = new Promise<boolean>((resolve) => {
      parts.writer.releaseInbound(session, packetId, () => resolve(true));
    });
    connection.holding.untilAnswered(forgotten, () => go(kept));
  }
}
