/**
 * Publishes that need more than a match: `$` topics that are not ordinary ones, and what an authorizer must allow.
 */
import { ProtocolError, ReasonCode } from '@dunlin/protocol';
import { PendingAcknowledgement } from '../acknowledgements.ts';
import { notAllowed } from '../client-log.ts';
import type { Connection } from '../connection.ts';
import { contentDigest } from '../content-digest.ts';
import { type Delay, delayOf } from '../delayed.ts';
import type { Publication } from '../publication.ts';
import { isBridgeStateOf, isDelayedTopic, isRestrictedTopic } from '../restricted-topic.ts';
import type { Session } from '../session.ts';
import { keep } from '../session-delivery.ts';
import type { TopicMatch } from '../topic-match.ts';
import { acceptPublish, acknowledge } from './accept-publish.ts';

const forNobody = 'no client may publish to this topic';

/** What the authorizer said; null: it was not asked. */
export type Answer = boolean | Promise<boolean> | null;

/**
 * Whether the client may publish to this topic with QoS 0 and without RETAIN; null: there is nobody to ask. Yes is remembered: most clients stay with one topic,
 * and a comparison is all that rules then cost (measured: `npm run bench -- rules`).
 */
export function askForMatch(connection: Connection, match: TopicMatch): Answer {
  const { authorizer } = connection.broker;
  if (authorizer === null) return null;
  const { clientId } = connection.session as Session;
  const client = connection.identity(clientId);
  if (isBridgeStateOf(match.topic, clientId)) return true;
  const answer = authorizer.authorize(client, 'publish', match.topic, 0, false);
  if (answer === true) connection.allowedMatch = match;
  return answer;
}

/** `answer`: for `match`, if the authorizer was asked already. */
export function publishRestricted(
  connection: Connection,
  session: Session,
  publication: Publication,
  match: TopicMatch,
  packetId: number,
  answer: Answer,
): void {
  if (isDelayedTopic(match.topic)) {
    const delay = delayOf(match.topic, connection.broker.limits.delayMaxSeconds);
    if (typeof delay === 'string') throw new ProtocolError(ReasonCode.topicNameInvalid, delay);
    // What a client may not publish now, it may not publish later.
    if (isRestrictedTopic(delay.topic)) deny(connection, publication, packetId, forNobody);
    else
      authorize(connection, publication, ask(connection, session, publication, delay.topic), packetId, (kept) =>
        publishDelayed(connection, session, kept, delay, packetId),
      );
  } else if (match.isRestricted) {
    deny(connection, publication, packetId, forNobody);
  } else {
    const { matches } = connection.broker;
    const given = answer ?? ask(connection, session, publication, match.topic);
    if (given === true) {
      acceptPublish(connection, session, publication, match, packetId);
      return;
    }
    authorize(connection, publication, given, packetId, (kept) => {
      const current = kept === publication ? match : matches.find(kept.bytes, kept.topicStart, kept.topicEnd);
      acceptPublish(connection, session, kept, current, packetId);
    });
  }
}

/** Refused: MQTT 5 hears 0x87 for QoS 1 and 2; QoS 0 and MQTT 3 have no words for it, the message is dropped, or the client, as configured. */
function deny(connection: Connection, publication: Publication, packetId: number, reason: string): void {
  const { broker } = connection;
  const { qos } = publication;
  broker.metrics.dropped['not-authorized']++;
  broker.clientLog.publishRefused(connection, publication, reason);
  if (broker.deniedPublish === 'disconnect' && (qos === 0 || !connection.version5)) {
    connection.disconnect(ReasonCode.notAuthorized, 'publishing to this topic is not allowed');
    return;
  }
  acknowledge(connection, qos, packetId, ReasonCode.notAuthorized);
}

/** Whether the client may publish this, as it is; true where there is nobody to ask. */
export function ask(
  connection: Connection,
  session: Session,
  publication: Publication,
  topic: string,
): boolean | Promise<boolean> {
  const { authorizer } = connection.broker;
  if (authorizer === null || isBridgeStateOf(topic, session.clientId)) return true;
  const client = connection.identity(session.clientId);
  return authorizer.authorize(client, 'publish', topic, publication.qos, publication.retain);
}

/** An answer that takes time holds back what the client sends after it, so that the order stays (P4). */
function authorize(
  connection: Connection,
  publication: Publication,
  answer: boolean | Promise<boolean>,
  packetId: number,
  then: (publication: Publication) => void,
): void {
  if (answer === true) {
    then(publication);
  } else if (answer === false) {
    deny(connection, publication, packetId, notAllowed);
  } else {
    const kept = keep(publication);
    kept.span = publication.span;
    publication.span = null;
    connection.holdFor(answer, (allowed) => {
      if (!allowed) deny(connection, kept, packetId, notAllowed);
      else then(kept);
    });
  }
}

/** `$delayed/{seconds}/{topic}`: stored now, acknowledged when stored, published when due. */
function publishDelayed(
  connection: Connection,
  session: Session,
  publication: Publication,
  delay: Delay,
  packetId: number,
): void {
  const { broker } = connection;
  if (publication.qos === 2) session.inboundInflight.add(packetId, 0, contentDigest(publication));
  if (publication.qos === 0) {
    broker.delayed.add(publication, delay, null);
    return;
  }
  const pending = new PendingAcknowledgement(connection, publication.qos === 1 ? 4 : 5, packetId);
  connection.pendingAcknowledgements().add(pending);
  pending.waits++;
  pending.needsStored(broker.trust.losses);
  broker.delayed.add(publication, delay, () => pending.settle());
  connection.acknowledgementPending();
  pending.settle();
}
