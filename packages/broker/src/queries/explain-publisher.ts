import { ProtocolError } from '@dunlin/protocol';
import type { Connection } from '../connection/connection.ts';
import { delayOf } from '../delivery/delayed.ts';
import { willDelaySeconds } from '../delivery/will.ts';
import type { PublishAuthorization } from '../handlers/authorize-publish.ts';
import { readRecord } from '../message/message-record.ts';
import { requireTopicLength } from '../message/name-length.ts';
import { type Publication, publishSize } from '../message/publication.ts';
import { publicationOf } from '../message/publish-in-place.ts';
import { isDelayedTopic, isRestrictedTopic } from '../message/restricted-topic.ts';
import type { ExplainQuery, Explanation } from '../ports/explanation.ts';
import type { Limits } from '../ports/limits.ts';
import type { Session } from '../session/session.ts';
import type { TopicMatch, TopicMatches } from '../subscriptions/topic-match.ts';
import { connectionOf } from './client-records.ts';
import { ExplainSteps, placeOf, quote } from './explain-steps.ts';
import { QueryError } from './query-error.ts';

/** A message that nobody has sent, with its topic as it is matched. */
export interface SupposedMessage {
  publication: Publication;
  match: TopicMatch;
  /** Seconds after which it is published, by its `$delayed` topic; 0: at once. */
  delaySeconds: number;
}

const nothing = Buffer.alloc(0);

/** The message that a question is about. Throws QueryError for a topic that MQTT does not allow. */
export function supposedMessage(
  query: Omit<ExplainQuery, 'kind'>,
  matches: TopicMatches,
  limits: Limits,
): SupposedMessage {
  const { qos, retain, payloadBytes, publisher } = query;
  let { topic } = query;
  let delaySeconds = 0;
  if (isDelayedTopic(topic)) {
    const delay = delayOf(topic, limits.delayMaxSeconds);
    if (typeof delay === 'string') throw new QueryError(`topic: given ${quote(topic)}: ${delay}`);
    ({ topic } = delay);
    delaySeconds = delay.seconds;
  }
  const publication = publicationOf(topic, Buffer.alloc(payloadBytes), qos, retain);
  publication.publisher = publisher;
  try {
    requireTopicLength(publication.topicEnd, limits.topicBytesMax);
    const match = matches.find(publication.bytes, publication.topicStart, publication.topicEnd);
    return { publication, match, delaySeconds };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new QueryError(`topic: given ${quote(topic)}, allowed: a topic name (${error.message})`);
  }
}

export interface ExplainPublisherParts {
  limits: Limits;
  authorization: Pick<PublishAuthorization, 'mayPublish'>;
  self: string;
}

/** Checks of a PUBLISH of a client that is connected here. */
export async function explainPublisher(
  { limits, authorization, self }: ExplainPublisherParts,
  session: Session,
  { publication, match }: SupposedMessage,
): Promise<Explanation> {
  const steps = new ExplainSteps();
  const connection = connectionOf(session);
  const name = `Publisher ${quote(session.clientId)}`;
  const topic = quote(match.topic);
  steps.passed('publisher', `${name} is connected to ${placeOf(self)}.`);
  noteWill(steps, name, session, match.topic);
  if (isRestrictedTopic(match.topic)) return steps.failed('topic', `No client may publish to ${topic}.`);
  const bytes = publishSize(publication, connection.version5, publication.qos > 0, nothing, true);
  if (bytes > limits.maximumPacketSizeBytes)
    return steps.failed(
      'publish-size',
      `The PUBLISH has ${bytes} bytes, and limits.maximumPacketSizeBytes allows ${limits.maximumPacketSizeBytes}: the publisher is disconnected.`,
    );
  if (publication.retain && !limits.retainAvailable)
    return steps.failed('retain', 'limits.retainAvailable is off: a publisher of a retained message is disconnected.');
  if (!(await mayPublish(authorization, connection, session, publication, match.topic)))
    return steps.failed('publish-rights', `The rules do not allow ${quote(session.clientId)} to publish to ${topic}.`);
  steps.passed('publish-rights', `The rules allow it to publish to ${topic}.`);
  if (connection.reading.isOverRate) {
    steps.add('waits', 'publish-rate', `${name} is over its rate, and is not read for a while.`);
    return steps.end('later');
  }
  return steps.end('yes');
}

async function mayPublish(
  authorization: Pick<PublishAuthorization, 'mayPublish'>,
  connection: Connection,
  session: Session,
  publication: Publication,
  topic: string,
): Promise<boolean> {
  try {
    return await authorization.mayPublish(connection, session, publication, topic);
  } catch {
    return false;
  }
}

/** Says that the message may be meant that is published when the client is gone. */
function noteWill(steps: ExplainSteps, name: string, session: Session, topic: string): void {
  if (session.will === null || readRecord(session.will.record).topic() !== topic) return;
  const delay = willDelaySeconds(session);
  const when =
    delay === 0 ? 'when its connection is lost' : `${delay} s after its connection is lost, unless it is back by then`;
  steps.note('will', `${name} has a will on this topic: it is published ${when}.`);
}
