/**
 * PUBLISH (MQTT 5 section 3.3, MQTT 3.1.1 section 3.3).
 *
 * Order: read in place, check, match, store, hand over, acknowledge. The acknowledgement is last: it leaves when nothing that it
 * waits for is open (accept-publish.ts, publish-router.ts).
 */
import { ProtocolError, PublishView, ReasonCode, readPublish } from '@dunlin/protocol';
import type { Connection } from '../connection.ts';
import { contentDigest } from '../content-digest.ts';
import { deliverQos0 } from '../deliver.ts';
import type { Authorizer } from '../ports/authorizer.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Tracer } from '../ports/tracer.ts';
import { Publication } from '../publication.ts';
import { placeInPacket } from '../publish-in-place.ts';
import { runHeaders } from '../run-packets.ts';
import type { Session } from '../session.ts';
import { keep } from '../session-delivery.ts';
import type { TopicMatch } from '../topic-match.ts';
import { beginPublish, endPublish, mayBeTraced, takeTraced } from '../traced-publish.ts';
import { acceptAgain, acceptPublish, acknowledge, acknowledgeAgain } from './accept-publish.ts';
import { type Answer, ask, askForMatch, publishRestricted } from './publish-restricted.ts';

/** One of each serves all connections of a worker: a publish is through with them before the next begins. */
const view = new PublishView();
const scratch = new Publication();

/** MQTT.js, which Node-RED builds on, wrote 3,000 messages at once where 1,000 were asked for. */
const receiveMaximumTolerance = 8;

export function handlePublish(
  connection: Connection,
  header: number,
  bytes: Buffer,
  start: number,
  bodyStart: number,
  end: number,
): void {
  const { broker, version5 } = connection;
  const session = connection.session as Session;
  readPublish(view, header, bytes, bodyStart, end, connection.version);
  const publication = scratch;
  placeInPacket(publication, view, bytes, start, version5, broker.delivery, connection.inboundAliases);
  const match = matchTopic(connection, publication);
  broker.metrics.publishesReceived++;
  broker.metrics.publishBytesReceived += end - start;
  broker.metrics.payloadBytesReceived += end - view.payloadStart;
  const { tracer } = broker;
  if (tracer !== null) {
    publication.trace = null;
    publication.span = null;
    if (mayBeTraced(tracer, publication)) beginPublish(connection, tracer, publication);
  }
  let answer: Answer = null;
  if (mayJoinRun(publication, match, tracer) && !match.isRestricted && takesRun(header, match, broker.authorizer)) {
    if (broker.authorizer !== null && connection.allowedMatch !== match) answer = askForMatch(connection, match);
    if (answer !== null && answer !== true) {
      // Not allowed, or not known yet.
    } else if (publication.bytes === bytes && publication.qos <= broker.limits.maximumQos) {
      if (view.packetId !== 0) {
        countReceived(broker.metrics, 1, end - start);
      }
      broker.run.add(bytes, start, end, match, session, view);
      if (publication.trace !== null) {
        const traced = takeTraced(publication);
        if (traced !== null) broker.run.trace(traced);
      }
      return;
    } else if (publication.qos === 0 && match.endpoints.length === 0) {
      broker.run.flush();
      publication.publisher = session.clientId;
      deliverQos0(broker.delivery, publication, match.all, session);
      if (match.all.length === 0) broker.metrics.dropped['no-subscriber']++;
      if (publication.span !== null) endPublish(publication, 0);
      return;
    }
  }
  broker.run.flush();
  if (publication.qos > 0) countReceived(broker.metrics, publication.qos, end - start);
  publication.publisher = session.clientId;
  if (publication.retain && !broker.limits.retainAvailable) {
    throw new ProtocolError(ReasonCode.retainNotSupported, 'retained messages are not supported here', 'MQTT-3.2.2-14');
  }
  if (publication.qos > broker.limits.maximumQos) {
    throw new ProtocolError(
      ReasonCode.qosNotSupported,
      `QoS ${publication.qos}; at most ${broker.limits.maximumQos}`,
      'MQTT-3.2.2-11',
    );
  }
  const packetId = view.packetId;
  if (publication.qos === 2 && session.inbound?.has(packetId)) {
    // DUP or not: a repetition says the same. With DUP it may be one that a store which came back older has lost.
    if (session.inbound.isOther(packetId, contentDigest(publication)))
      receivedAnew(connection, session, publication, packetId);
    else receivedAgain(connection, session, publication, match, packetId);
    if (publication.span !== null) endPublish(publication, 0);
    return;
  }
  if (publication.qos === 2) checkReceiveMaximum(connection, session);
  if (match.isRestricted || broker.authorizer !== null)
    publishRestricted(connection, session, publication, match, packetId, answer);
  else acceptPublish(connection, session, publication, match, packetId);
  if (publication.span !== null) endPublish(publication, 0);
}

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
 * Whether a packet with this first byte goes with those beside it: without DUP and RETAIN, and to nobody but sessions, here or elsewhere. Rules may tell QoS 1
 * from QoS 0, and what they say of QoS 0 is all that is remembered of them.
 */
function takesRun(header: number, match: TopicMatch, authorizer: Authorizer | null): boolean {
  if (header === runHeaders[0]) return match.takesRuns;
  return header === runHeaders[1] && match.takesKeptRuns && authorizer === null;
}

/** A traced publish is one of a run where nothing is written for its sake: no context for subscribers, none for other endpoints. */
function mayJoinRun({ trace, qos }: Publication, match: TopicMatch, tracer: Tracer | null): boolean {
  return trace === null || (qos === 0 && match.endpoints.length === 0 && tracer !== null && !tracer.writesContext);
}

function matchTopic(connection: Connection, publication: Publication): TopicMatch {
  const { matches, tree } = connection.broker;
  const { bytes, topicStart, topicEnd } = publication;
  const last = connection.lastMatch;
  if (last !== null && last.version === tree.version && isTopic(last.bytes, bytes, topicStart, topicEnd)) return last;
  const match = matches.find(bytes, topicStart, topicEnd);
  connection.lastMatch = match;
  return match;
}

function isTopic(topic: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (topic.length !== end - start) return false;
  for (let i = 0, at = start; at < end; i++, at++) if (topic[i] !== bytes[at]) return false;
  return true;
}

/**
 * Unreleased messages of QoS 2 beyond a multiple of our Receive Maximum [MQTT-3.3.4-7]. Not beyond it alone: clients without flow control write a burst before
 * they read the first PUBREC. While PUBACKs and PUBRECs wait here, for the store or for others, the socket is not read (`acknowledgementPending`), as of MQTT 3
 * clients, which know no such limit; those are not the client's to answer for, nor what it left unreleased on another connection (MQTT 5 section 4.9).
 */
function checkReceiveMaximum(connection: Connection, session: Session): void {
  if (!connection.version5 || session.inbound === null) return;
  const unreleased = session.inbound.countHere - (connection.acknowledgements?.pubrecs ?? 0);
  const most = receiveMaximumTolerance * connection.broker.limits.receiveMaximum;
  if (unreleased < most) return;
  throw new ProtocolError(ReasonCode.receiveMaximumExceeded, `${most} messages of QoS 2 unreleased`, 'MQTT-3.3.4-7');
}

/** A QoS 2 message that we have and that was not released yet: not routed again [MQTT-4.3.3-10], unless a former owner of the session took it, who may have died over it. */
function receivedAgain(
  connection: Connection,
  session: Session,
  publication: Publication,
  match: TopicMatch,
  packetId: number,
): void {
  // Its first PUBREC may still wait for the store, or for other endpoints: this one follows it, as every PUBLISH has its own [MQTT-4.3.3-10].
  const first = connection.acknowledgements?.pubrecOf(packetId) ?? null;
  if (first !== null) {
    acknowledge(connection, 2, packetId, first.reasonCode);
    connection.acknowledgementPending();
    return;
  }
  const number = session.inboundInflight.takeDoubt(packetId);
  if (number === null || match.isRestricted) {
    acknowledgeAgain(connection, session, packetId);
    return;
  }
  const settle = (allowed: boolean, kept: Publication, current: TopicMatch): void => {
    if (allowed) acceptAgain(connection, session, kept, current, packetId, number);
    else acknowledgeAgain(connection, session, packetId); // it was accepted, and is in the logs
  };
  // The rules are asked again: topic and RETAIN are what the packet says now.
  const answer = ask(connection, session, publication, match.topic);
  if (typeof answer === 'boolean') {
    settle(answer, publication, match);
    return;
  }
  const kept = keep(publication);
  const { matches } = connection.broker;
  connection.holdFor(answer, (allowed) =>
    settle(allowed, kept, matches.find(kept.bytes, kept.topicStart, kept.topicEnd)),
  );
}

/**
 * Another message under an identifier that was not released, and it does not say that it is one again: a client whose state died with its process, and that counts
 * from 1. [MQTT-4.3.3-10] would have it acknowledged and thrown away; it is a new one, and what was there is through.
 */
function receivedAnew(connection: Connection, session: Session, publication: Publication, packetId: number): void {
  const { broker } = connection;
  broker.warnings.warn(
    'a packet identifier in use stands for another message now: the client lost its state',
    session.clientId,
    {
      packetId,
      topic: publication.topic(),
    },
  );
  session.inboundInflight.delete(packetId);
  const go = (taken: Publication): void => {
    const match = broker.matches.find(taken.bytes, taken.topicStart, taken.topicEnd);
    if (match.isRestricted || broker.authorizer !== null)
      publishRestricted(connection, session, taken, match, packetId, null);
    else acceptPublish(connection, session, taken, match, packetId);
  };
  if (!session.stored) {
    go(publication);
    return;
  }
  // Not before the store has forgotten the one before: told of both at once, it could forget the one that is to stay.
  const kept = keep(publication);
  const forgotten = new Promise<boolean>((resolve) => {
    broker.writer.releaseInbound(session, packetId, () => resolve(true));
  });
  connection.holdFor(forgotten, () => go(kept));
}
