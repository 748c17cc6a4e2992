/**
 * Authorization of publishes: by the authorizer, if there is one, and of `$` topics, which have a meaning of their own.
 */

import { ProtocolError, ReasonCode } from '@dunlin/protocol';
import type { ClientLog } from '../connection/client-log.ts';
import { notAllowed } from '../connection/client-log.ts';
import type { Connection } from '../connection/connection.ts';
import type { DelayedMessages } from '../delivery/delayed.ts';
import { type Delay, delayOf } from '../delivery/delayed.ts';
import { keep } from '../delivery/session-delivery.ts';
import { contentDigest } from '../message/content-digest.ts';
import type { Fates } from '../message/fates.ts';
import type { Publication } from '../message/publication.ts';
import { publisherMark } from '../message/publisher-mark.ts';
import { isBridgeStateOf, isDelayedTopic, isRestrictedTopic } from '../message/restricted-topic.ts';
import type { Authorizer } from '../ports/authorizer.ts';
import type { Limits } from '../ports/limits.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Session } from '../session/session.ts';
import type { TopicMatch, TopicMatches } from '../subscriptions/topic-match.ts';
import type { StoreTrust } from '../work/store-trust.ts';
import { acknowledge, type PublishAcceptance } from './accept-publish.ts';

const reservedTopic = 'no client may publish to this topic';

/** Answer of the authorizer; null: it was not asked. */
export type Answer = boolean | Promise<boolean> | null;

export interface PublishAuthorizationParts {
  limits: Limits;
  metrics: Metrics;
  clientLog: ClientLog;
  authorizer: Authorizer | null;
  deniedPublish: 'drop' | 'disconnect';
  matches: TopicMatches;
  delayed: DelayedMessages;
  trust: StoreTrust;
  acceptance: PublishAcceptance;
  delivery: { readonly fates: Fates };
}

export class PublishAuthorization {
  private readonly parts: PublishAuthorizationParts;

  constructor(parts: PublishAuthorizationParts) {
    this.parts = parts;
  }

  /**
   * True if the client may publish to this topic with QoS 0 and without RETAIN; null without an authorizer. True is
   * cached in the connection: most clients stay with one topic, and rules then cost one comparison (measured: `npm run
   * bench -- rules`).
   */
  authorizeMatch(connection: Connection, { clientId }: Session, match: TopicMatch): Answer {
    const { authorizer } = this.parts;
    if (authorizer === null) return null;
    const client = connection.signIn.identity(clientId);
    if (isBridgeStateOf(match.topic, clientId)) return true;
    const answer = authorizer.authorize(client, 'publish', match.topic, 0, false);
    if (answer === true && authorizer.answersExpire !== true) connection.allowedMatch = match;
    return answer;
  }

  /**
   * Accepts the publish if it is allowed, or refuses it. `answer`: for `match`, if the authorizer was asked already.
   */
  publishIfAllowed(
    connection: Connection,
    session: Session,
    publication: Publication,
    match: TopicMatch,
    packetId: number,
    answer: Answer,
  ): void {
    if (isDelayedTopic(match.topic)) {
      const delay = delayOf(match.topic, this.parts.limits.delayMaxSeconds);
      if (typeof delay === 'string') throw new ProtocolError(ReasonCode.topicNameInvalid, delay);
      // A topic that the client may not publish to now is refused for later too.
      if (isRestrictedTopic(delay.topic)) this.deny(connection, publication, packetId, reservedTopic);
      else
        this.authorize(
          connection,
          publication,
          this.mayPublish(connection, session, publication, delay.topic),
          packetId,
          (kept) => this.publishDelayed(connection, session, kept, delay, packetId),
        );
    } else if (match.isRestricted) {
      this.deny(connection, publication, packetId, reservedTopic);
    } else {
      const { matches } = this.parts;
      const given = answer ?? this.mayPublish(connection, session, publication, match.topic);
      if (given === true) {
        this.parts.acceptance.acceptPublish(connection, session, publication, match, packetId);
        return;
      }
      this.authorize(connection, publication, given, packetId, (kept) => {
        const current = kept === publication ? match : matches.find(kept.bytes, kept.topicStart, kept.topicEnd);
        this.parts.acceptance.acceptPublish(connection, session, kept, current, packetId);
      });
    }
  }

  /**
   * Refuses a publish. MQTT 5 clients get 0x87 for QoS 1 and 2. QoS 0 and MQTT 3 have no reason code: the message is
   * dropped, or the client is disconnected, as configured.
   */
  private deny(connection: Connection, publication: Publication, packetId: number, reason: string): void {
    const { parts } = this;
    const { qos } = publication;
    parts.metrics.dropped['not-authorized']++;
    parts.delivery.fates.dropped('not-authorized', '', publication);
    parts.clientLog.publishRefused(connection, publication, reason);
    if (parts.deniedPublish === 'disconnect' && (qos === 0 || !connection.version5)) {
      connection.disconnect(ReasonCode.notAuthorized, 'publishing to this topic is not allowed');
      return;
    }
    acknowledge(connection, qos, packetId, ReasonCode.notAuthorized);
  }

  /** True if the client may publish this, with its QoS and RETAIN; true without an authorizer. */
  mayPublish(
    connection: Connection,
    session: Session,
    publication: Publication,
    topic: string,
  ): boolean | Promise<boolean> {
    const { authorizer } = this.parts;
    if (authorizer === null || isBridgeStateOf(topic, session.clientId)) return true;
    const client = connection.signIn.identity(session.clientId);
    return authorizer.authorize(client, 'publish', topic, publication.qos, publication.retain);
  }

  /**
   * An answer that is a promise holds back the packets that the client sends after this one, so that the order stays
   * (P4).
   */
  private authorize(
    connection: Connection,
    publication: Publication,
    answer: boolean | Promise<boolean>,
    packetId: number,
    then: (publication: Publication) => void,
  ): void {
    if (answer === true) {
      then(publication);
    } else if (answer === false) {
      this.deny(connection, publication, packetId, notAllowed);
    } else {
      const kept = keep(publication);
      kept.span = publication.span;
      publication.span = null;
      connection.holding.untilAnswered(answer, (allowed) => {
        if (!allowed) this.deny(connection, kept, packetId, notAllowed);
        else then(kept);
      });
    }
  }

  /** `$delayed/{seconds}/{topic}`: stored now, acknowledged when stored, published when due. */
  private publishDelayed(
    connection: Connection,
    session: Session,
    publication: Publication,
    delay: Delay,
    packetId: number,
  ): void {
    const { parts } = this;
    if (publication.qos === 2) session.inboundInflight.add(packetId, 0, contentDigest(publication));
    const user = connection.signIn.userName ?? '';
    const { clientId } = session;
    const publisher = parts.authorizer === null ? clientId : publisherMark(connection.signIn.identity(clientId), true);
    if (publication.qos === 0) {
      parts.delayed.add(publication, { publisher, user }, delay, null);
      return;
    }
    const pending = connection.outlet.awaitAcknowledgement(publication.qos === 1 ? 4 : 5, packetId);
    pending.waits++;
    pending.needsStored(parts.trust.losses);
    parts.delayed.add(publication, { publisher, user }, delay, (refusal) => {
      if (refusal !== '') pending.quotaExceeded(refusal);
      pending.settle();
    });
    pending.allAdded();
  }
}
