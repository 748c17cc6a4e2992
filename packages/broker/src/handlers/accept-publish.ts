/**
 * Acceptance of a PUBLISH that passed its checks: it is routed, and acknowledged when everything that its
 * acknowledgement waits for is safe (P1).
 */

import { ReasonCode } from '@dunlin/protocol';
import type { Connection } from '../connection/connection.ts';
import type { Producer, PublishRouter } from '../delivery/publish-router.ts';
import { endPublish } from '../delivery/traced-publish.ts';
import { contentDigest } from '../message/content-digest.ts';
import type { Publication } from '../message/publication.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Session } from '../session/session.ts';
import type { TopicMatch } from '../subscriptions/topic-match.ts';
import type { StoreTrust } from '../work/store-trust.ts';
import { storedBefore } from '../work/store-trust.ts';

const noProducer: Producer = { producer: null, inbound: null };

/** Assigns the session's next producer number to a QoS 2 message (P2). */
function rememberInbound(session: Session, packetId: number, publication: Publication): Producer {
  const digest = contentDigest(publication);
  if (!session.isStored) {
    session.inboundInflight.add(packetId, 0, digest);
    return noProducer;
  }
  const number = ++session.producerNumber;
  session.inboundInflight.add(packetId, number, digest);
  return { producer: { clientId: session.clientId, number, digest }, inbound: { key: session.key, packetId, digest } };
}

/** Sends PUBACK or PUBREC now, or behind pending ones [MQTT-4.6.0-2], [MQTT-4.6.0-3]. */
export function acknowledge(connection: Connection, qos: 0 | 1 | 2, packetId: number, reasonCode: number): void {
  if (qos === 0) return;
  const type = qos === 1 ? 4 : 5;
  const waiting = connection.outlet.acknowledgements;
  if (waiting === null || waiting.length === 0) {
    connection.outlet.sendAcknowledgement(type, packetId, reasonCode);
    return;
  }
  const pending = connection.outlet.awaitAcknowledgement(type, packetId);
  pending.reasonCode = reasonCode;
  pending.settle();
}

export interface PublishAcceptanceParts {
  router: PublishRouter;
  metrics: Metrics;
  trust: StoreTrust;
}

export class PublishAcceptance {
  private readonly parts: PublishAcceptanceParts;

  constructor(parts: PublishAcceptanceParts) {
    this.parts = parts;
  }

  /** Routes a publish that is allowed, and acknowledges it when it is safe. */
  acceptPublish(
    connection: Connection,
    session: Session,
    publication: Publication,
    match: TopicMatch,
    packetId: number,
  ): void {
    const { router } = this.parts;
    if (publication.qos === 0) {
      router.route(publication, match, session, null, noProducer);
      if (publication.span !== null) endPublish(publication, 0);
      return;
    }
    if (match.isPlain && !publication.retain && !(publication.qos === 2 && session.isStored)) {
      // Nothing to wait for: all receivers are here.
      this.parts.metrics.acknowledgementSeconds.counts[0]++;
      if (publication.qos === 2) session.inboundInflight.add(packetId, 0, contentDigest(publication));
      router.route(publication, match, session, null, noProducer);
      const reasonCode = match.isEmptyFor(publication.qos) ? ReasonCode.noMatchingSubscribers : 0;
      acknowledge(connection, publication.qos, packetId, reasonCode);
      if (publication.span !== null) endPublish(publication, reasonCode);
      return;
    }
    const pending = connection.outlet.awaitAcknowledgement(publication.qos === 1 ? 4 : 5, packetId);
    pending.span = publication.span;
    publication.span = null;
    if (match.isEmptyFor(publication.qos) && !publication.retain) pending.reasonCode = ReasonCode.noMatchingSubscribers;
    const producer = publication.qos === 2 ? rememberInbound(session, packetId, publication) : noProducer;
    router.route(publication, match, session, pending, producer);
    pending.allAdded();
  }

  /** Routes a QoS 2 message that a former owner of the session received under this number, and may not have routed. */
  acceptAgain(
    connection: Connection,
    session: Session,
    publication: Publication,
    match: TopicMatch,
    packetId: number,
    number: number,
  ): void {
    const pending = connection.outlet.awaitAcknowledgement(5, packetId);
    pending.needsStored(storedBefore);
    const producer = { clientId: session.clientId, number, digest: contentDigest(publication) };
    this.parts.router.routeAgain(publication, match, session, pending, producer);
    pending.allAdded();
  }

  /** Sends the PUBREC of a message that was received before, by whatever owner of the session, and is not released. */
  acknowledgeAgain(connection: Connection, session: Session, packetId: number): void {
    if (!session.isStored || !this.parts.trust.isAway) {
      acknowledge(connection, 2, packetId, 0);
      return;
    }
    const pending = connection.outlet.awaitAcknowledgement(5, packetId);
    pending.needsStored(storedBefore);
    pending.allAdded();
  }
}
