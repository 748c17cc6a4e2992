import { isShared, matchedFilter, topicMatchesFilter } from '@dunlin/protocol';
import type { Explanation } from '../ports/explanation.ts';
import type { Limits } from '../ports/limits.ts';
import { messagesBetween } from '../ports/log-numbers.ts';
import type { LogStore } from '../ports/log-store.ts';
import type { RetainedStore } from '../ports/retained-store.ts';
import type { StoredSession, StoredSubscription } from '../ports/session-store.ts';
import type { SupposedMessage } from './explain-publisher.ts';
import { noteRetained, noteTrimmed } from './explain-receiver.ts';
import { count, type ExplainSteps, quote } from './explain-steps.ts';

export interface ExplainAwayParts {
  limits: Limits;
  logs: LogStore;
  retained: RetainedStore;
  now: number;
}

/** Checks of a message to the stored session of a client that is not connected. Null: none is stored. */
export async function explainAway(
  parts: ExplainAwayParts,
  steps: ExplainSteps,
  stored: StoredSession | null,
  { publication, match }: SupposedMessage,
): Promise<Explanation> {
  const { topic } = match;
  const { expiresAt } = stored ?? { expiresAt: 0 };
  if (stored === null || (expiresAt > 0 && expiresAt <= parts.now)) {
    await noteRetained(steps, parts.retained, topic, parts.now);
    return steps.failed(
      'session',
      stored === null
        ? 'No session is stored for it: there was none, it ended with its connection or its expiry, or an operator has ended it.'
        : `Its session ended at ${new Date(expiresAt).toISOString()}, by its expiry of ${stored.sessionExpirySeconds} s.`,
    );
  }
  steps.passed('session', sessionInWords(stored));
  const matching = stored.subscriptions.filter(({ filter }) => topicMatchesFilter(topic, matchedFilter(filter)));
  if (matching.length === 0) {
    await noteRetained(steps, parts.retained, topic, parts.now);
    return steps.failed(
      'subscription',
      `None of the ${count(stored.subscriptions.length, 'subscription')} of its session matches ${quote(topic)}.`,
    );
  }
  for (const { filter, qos } of matching)
    steps.passed('subscription', `Its subscription ${quote(filter)} (QoS ${qos}) matches.`);
  if (publication.qos === 0)
    return steps.failed(
      'qos',
      'The message has QoS 0, and nothing of QoS 0 is kept for a client that is not connected.',
    );
  const kept = matching.filter(({ qos }) => qos > 0);
  if (kept.length === 0)
    return steps.failed(
      'qos',
      'The subscription has QoS 0, and nothing of QoS 0 is kept for a client that is not connected.',
    );
  return explainKept(parts, steps, stored, kept, publication.publisher);
}

function sessionInWords({ sessionExpirySeconds, expiresAt, subscriptions }: StoredSession): string {
  const end =
    expiresAt === 0 || expiresAt === Number.POSITIVE_INFINITY
      ? 'does not end'
      : `ends at ${new Date(expiresAt).toISOString()}`;
  const expiry = sessionExpirySeconds === 0xffffffff ? '' : ` (Session Expiry Interval ${sessionExpirySeconds} s)`;
  return `Its session is stored with ${count(subscriptions.length, 'subscription')} and ${end}${expiry}.`;
}

async function explainKept(
  { logs, limits, now }: ExplainAwayParts,
  steps: ExplainSteps,
  { clientId, cursors }: StoredSession,
  kept: readonly StoredSubscription[],
  publisher: string,
): Promise<Explanation> {
  const direct = kept.filter(({ filter }) => !isShared(filter));
  const others = direct.filter(({ noLocal }) => !noLocal || publisher !== clientId);
  if (direct.length > 0 && others.length === 0 && direct.length === kept.length)
    return steps.failed('no-local', 'The client is the publisher, and subscribed with No Local.');
  for (const { filter } of others) {
    const cursor = cursors.find((each) => each.filter === filter);
    const waiting = cursor === undefined ? 0 : await waitingIn(logs, filter, cursor.acknowledged);
    if (cursor !== undefined) await noteTrimmed(steps, logs, filter, cursor.acknowledged + 1, limits, now);
    steps.add(
      'waits',
      'log',
      `The message waits in the log of ${quote(filter)} until the client is back, behind ${count(waiting, 'message')}; a log keeps ${limits.logMessagesMax} messages (limits.logMessagesMax).`,
    );
  }
  if (others.length > 0) return steps.end('later');
  const [{ filter }] = kept;
  steps.add(
    'chance',
    'group',
    `It is a member of ${quote(filter)} that is away: a connected member gets the message, or whoever comes first.`,
  );
  return steps.end('chance');
}

async function waitingIn(logs: LogStore, filter: string, acknowledged: number): Promise<number> {
  const [end = 0] = await logs.ends([filter]);
  return Math.max(0, messagesBetween(acknowledged, end));
}
