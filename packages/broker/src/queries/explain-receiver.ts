import { matchedFilter, topicMatchesFilter } from '@dunlin/protocol';
import type { SubscriptionRights } from '../connection/subscription-rights.ts';
import { exceedsMaximum } from '../delivery/deliver.ts';
import { mayReceive } from '../delivery/receivers.ts';
import type { SessionDelivery } from '../delivery/session-delivery.ts';
import { identifierProperties } from '../message/identifier-properties.ts';
import { publishSize } from '../message/publication.ts';
import type { ExplainVerdict, Explanation } from '../ports/explanation.ts';
import type { Limits } from '../ports/limits.ts';
import { messagesBetween } from '../ports/log-numbers.ts';
import type { LogStore } from '../ports/log-store.ts';
import type { RetainedStore } from '../ports/retained-store.ts';
import type { LogCursor } from '../session/log-cursor.ts';
import type { Session } from '../session/session.ts';
import { mergeSubscriptions, type Subscription } from '../session/subscription.ts';
import { connectionOf } from './client-records.ts';
import { explainGroup } from './explain-group.ts';
import type { SupposedMessage } from './explain-publisher.ts';
import { count, ExplainSteps, placeOf, quote } from './explain-steps.ts';

export interface ExplainReceiverParts {
  self: string;
  limits: Limits;
  now: number;
  delivery: SessionDelivery;
  rights: Pick<SubscriptionRights, 'mayHave'>;
  logs: LogStore;
  retained: RetainedStore;
}

const nothing = Buffer.alloc(0);
/** Subscriptions of a client that an answer names. */
const namedMax = 20;
/** Verdicts from best to worst: the best of several ways to a client counts. */
const best: readonly ExplainVerdict[] = ['yes', 'later', 'chance', 'no'];

/** Checks of a message to a client that is connected here, made by the functions that deliver. */
export async function explainReceiver(
  parts: ExplainReceiverParts,
  session: Session,
  message: SupposedMessage,
): Promise<Explanation> {
  const steps = new ExplainSteps();
  const { remoteAddress, connectedAt } = connectionOf(session);
  const since = Number.isNaN(connectedAt) ? '' : ` since ${new Date(connectedAt).toISOString()}`;
  steps.passed(
    'connected',
    `Client ${quote(session.clientId)} is connected to ${placeOf(parts.self)} from ${remoteAddress}${since}.`,
  );
  if (session.hasEnded) return steps.failed('session', 'Its session is being handed over or ended.');
  if (!session.isCompared) session.compareWithRules();
  const { topic } = message.match;
  const matching = [...session.subscriptions.values()].filter(({ filter }) =>
    topicMatchesFilter(topic, matchedFilter(filter)),
  );
  if (matching.length === 0) return withoutSubscription(parts, steps, session, topic);
  for (const subscription of matching.slice(0, namedMax))
    steps.passed('subscription', `Its subscription ${inWords(subscription)} matches.`);
  if (message.delaySeconds > 0) steps.note('delayed', `It is published ${message.delaySeconds} s after it was sent.`);
  const verdicts: ExplainVerdict[] = [];
  for (const { subscription, cursor } of waysOf(matching, message.publication.qos))
    verdicts.push(await explainWay(parts, steps, subscription, cursor, message));
  for (const member of matching)
    if (member.isShared)
      verdicts.push(explainGroup(parts, steps, member, message, () => explainDirect(parts, steps, member, message)));
  return steps.end(best.find((verdict) => verdicts.includes(verdict)) ?? 'no');
}

function inWords({ filter, qos, noLocal, retainAsPublished, identifiers, isShared }: Subscription): string {
  const options = [
    `QoS ${qos}`,
    ...(noLocal && !isShared ? ['No Local'] : []),
    ...(retainAsPublished ? ['Retain As Published'] : []),
    ...(identifiers === null ? [] : [`identifier ${identifiers.join(', ')}`]),
  ];
  return `${quote(filter)} (${options.join(', ')})`;
}

async function withoutSubscription(
  { rights, retained, now }: ExplainReceiverParts,
  steps: ExplainSteps,
  session: Session,
  topic: string,
): Promise<Explanation> {
  for (const filter of session.suspended?.byFilter.keys() ?? [])
    if (topicMatchesFilter(topic, matchedFilter(filter)))
      return steps.failed(
        'subscribe-rights',
        `The rules do not allow its subscription ${quote(filter)} now: it is suspended, and goes on when they do.`,
      );
  let isAllowed = false;
  try {
    isAllowed = await rights.mayHave(connectionOf(session), session, { filter: topic, qos: 0 });
  } catch {
    // "Cannot tell" means no.
  }
  if (!isAllowed)
    steps.note(
      'subscribe-rights',
      `The rules would not allow it to subscribe to ${quote(topic)}: a SUBSCRIBE may have been refused.`,
    );
  else if (topic.startsWith('$'))
    steps.note('subscription', 'Filters that begin with + or # do not match topics that begin with $.');
  await noteRetained(steps, retained, topic, now);
  const all = session.hasSubscriptions ? session.subscriptions.size : 0;
  const others =
    all === 0 ? 'It has no subscription.' : `None of its ${count(all, 'subscription')} matches ${quote(topic)}.`;
  return steps.failed('subscription', others);
}

interface Way {
  subscription: Subscription;
  cursor: LogCursor | null;
}

/** Ways to the client: one for all subscriptions that are served live, and one for each log (TopicMatch). */
function waysOf(matching: readonly Subscription[], qos: 0 | 1 | 2): Way[] {
  const ways: Way[] = [];
  let merged: Subscription | null = null;
  for (const subscription of matching) {
    if (subscription.isShared) continue;
    const { cursor } = subscription;
    if (qos > 0 && cursor !== null) ways.push({ subscription, cursor });
    else merged = merged === null ? subscription : mergeSubscriptions(merged, subscription);
  }
  if (merged !== null) ways.push({ subscription: merged, cursor: null });
  return ways;
}

async function explainWay(
  parts: ExplainReceiverParts,
  steps: ExplainSteps,
  subscription: Subscription,
  cursor: LogCursor | null,
  message: SupposedMessage,
): Promise<ExplainVerdict> {
  if (!mayReceive(subscription, message.publication.publisher)) {
    steps.add('failed', 'no-local', 'The client is the publisher, and subscribed with No Local.');
    return 'no';
  }
  if (cursor === null) return explainDirect(parts, steps, subscription, message);
  if (isTooLarge(steps, subscription, message, subscription.qos > 0)) return 'no';
  return explainLog(parts, steps, cursor);
}

/** A message that is sent when it comes, or waits in memory. */
function explainDirect(
  parts: ExplainReceiverParts,
  steps: ExplainSteps,
  subscription: Subscription,
  message: SupposedMessage,
): ExplainVerdict {
  const qos = Math.min(message.publication.qos, subscription.qos);
  if (isTooLarge(steps, subscription, message, qos > 0)) return 'no';
  if (message.publication.retain && !subscription.retainAsPublished)
    steps.note('retain', 'RETAIN is cleared for it, since it subscribed without Retain As Published.');
  return qos === 0 ? explainSocket(parts, steps, subscription) : explainWindow(parts, steps, subscription, message);
}

function isTooLarge(
  steps: ExplainSteps,
  { outlet, identifiers }: Subscription,
  { publication }: SupposedMessage,
  withPacketId: boolean,
): boolean {
  const extra = outlet.version5 && identifiers !== null ? identifierProperties(identifiers) : nothing;
  const bytes = publishSize(publication, outlet.version5, withPacketId, extra, true);
  if (!exceedsMaximum(outlet, publication, withPacketId, extra)) return false;
  steps.add(
    'failed',
    'packet-size',
    `The packet has ${bytes} bytes, and the client takes at most ${outlet.clientMaximumPacketSize} (Maximum Packet Size of its CONNECT).`,
  );
  return true;
}

function explainSocket(
  { delivery, limits }: ExplainReceiverParts,
  steps: ExplainSteps,
  { outlet }: Subscription,
): ExplainVerdict {
  const { pendingBytes } = outlet.output;
  const refusal = delivery.qos0Refusal(outlet);
  if (refusal === null) {
    steps.passed('socket', `It goes out at QoS 0; ${count(pendingBytes, 'byte')} wait for the socket.`);
    return 'yes';
  }
  const texts = {
    closed: 'Its connection is ending.',
    'over-rate':
      'It is over its rate (quota of messages or bytes to a client): messages of QoS 0 are dropped meanwhile.',
    'outbox-full': `Its socket does not take ${count(pendingBytes, 'byte')} that wait for it (limits.outputBufferBytesMax: ${limits.outputBufferBytesMax}; less where memory is scarce): messages of QoS 0 are dropped meanwhile.`,
  };
  steps.add('failed', refusal === 'over-rate' ? 'quota' : 'socket', texts[refusal]);
  return 'no';
}

/** Figures of the window of a session. */
export function windowOf(session: Session, limits: Limits): string {
  const { outbound } = session;
  const figures = `${outbound?.count ?? 0} of ${outbound?.max ?? limits.inflightMax} messages are in flight`;
  return session.resends === null ? figures : `${figures}, and those of before its reconnect come first`;
}

/** Reason why a window that has room by its messages takes none; empty: none is known. */
function heldBy({ outlet }: Session): string {
  return outlet.output.isHeldForRate ? '; it is over its rate (quota of messages or bytes to a client)' : '';
}

function explainWindow(
  { delivery, limits }: ExplainReceiverParts,
  steps: ExplainSteps,
  { session }: Subscription,
  { publication }: SupposedMessage,
): ExplainVerdict {
  const window = windowOf(session, limits);
  const waiting = session.waiting?.length ?? 0;
  if (session.hasRoom && waiting === 0) {
    steps.passed('window', `Its window has room: ${window}.`);
    return 'yes';
  }
  const queue = `${waiting} of ${limits.queuedMessagesMax} messages wait for it (limits.queuedMessagesMax)`;
  if (!delivery.isQueueFull(session, publication.size)) {
    steps.add('waits', 'window', `Its window is full: ${window}${heldBy(session)}. ${queue}.`);
    return 'later';
  }
  const full = `Its window is full: ${window}. Its queue is full as well: ${queue}, ${session.waiting?.bytes ?? 0} of ${limits.queuedBytesMax} bytes.`;
  if (limits.queuePolicy === 'drop-oldest') {
    steps.add('waits', 'queue', `${full} The oldest message is dropped for it (limits.queuePolicy: drop-oldest).`);
    return 'later';
  }
  const fate = limits.queuePolicy === 'disconnect' ? 'The client is disconnected' : 'The message is dropped';
  steps.add('failed', 'queue', `${full} ${fate} (limits.queuePolicy: ${limits.queuePolicy}).`);
  return 'no';
}

async function explainLog(
  { limits, logs, now }: ExplainReceiverParts,
  steps: ExplainSteps,
  cursor: LogCursor,
): Promise<ExplainVerdict> {
  const { session, log } = cursor;
  const behind = Math.max(0, messagesBetween(cursor.acknowledged, log.lastSequence));
  await noteTrimmed(steps, logs, cursor.filter, cursor.acknowledged + 1, limits, now);
  const figures = `${windowOf(session, limits)}, ${count(behind, 'message')} of the log of ${quote(cursor.filter)} are not acknowledged`;
  if (cursor.isLive && session.hasRoom && session.isCompared) {
    steps.passed('window', `Its window has room: ${figures}.`);
    return 'yes';
  }
  const why = session.hasRoom ? 'It reads earlier messages of the log first' : 'Its window is full';
  steps.add(
    'waits',
    session.hasRoom ? 'log' : 'window',
    `${why}: ${figures}${heldBy(session)}. The message waits in the log, which keeps ${limits.logMessagesMax} messages (limits.logMessagesMax).`,
  );
  return 'later';
}

/** Says that there is a retained message, which a client gets when it subscribes. */
export async function noteRetained(
  steps: ExplainSteps,
  retained: RetainedStore,
  topic: string,
  now: number,
): Promise<void> {
  const { entries } = await retained.read(topic, null, 1, now);
  if (entries.length > 0)
    steps.note('retained', `A retained message is stored for ${quote(topic)}: a client gets it when it subscribes.`);
}

/** Says how many messages the log has dropped that a cursor had not read. `next`: the first that it wants. */
export async function noteTrimmed(
  steps: ExplainSteps,
  logs: LogStore,
  filter: string,
  next: number,
  limits: Limits,
  now: number,
): Promise<void> {
  const { firstSequence, lastSequence } = await logs.read(filter, next, 1, 1, now);
  if (firstSequence <= next || lastSequence < next) return;
  const dropped = messagesBetween(next, firstSequence);
  if (dropped > 0)
    steps.note(
      'log-trimmed',
      `${count(dropped, 'message')} of the log of ${quote(filter)} were dropped before it acknowledged them: a log keeps ${limits.logMessagesMax} messages and ${limits.logBytesMax} bytes (limits.logMessagesMax, limits.logBytesMax).`,
    );
}
