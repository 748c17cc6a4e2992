/** Checks of one filter of a SUBSCRIBE that ask neither the store nor what the client has: its form, what is switched on, the rules. */
import { ProtocolError, parseShare, ReasonCode, type SubscriptionRequest, validateTopicFilter } from '@dunlin/protocol';
import { notAllowed } from '../connection/client-log.ts';
import type { Connection } from '../connection/connection.ts';
import { isFilterTooLong } from '../message/name-length.ts';
import { mayReadWithoutRules } from '../message/restricted-topic.ts';
import type { Authorizer } from '../ports/authorizer.ts';
import type { Limits } from '../ports/limits.ts';
import type { SubscriptionRefusal } from '../ports/metrics.ts';
import type { Session } from '../session/session.ts';

/** Refused subscription: the reason code of SUBACK, and the words for it. */
export interface Refusal {
  reasonCode: number;
  reason: string;
  counted: SubscriptionRefusal;
}

const notAuthorized: Refusal = {
  reasonCode: ReasonCode.notAuthorized,
  reason: notAllowed,
  counted: 'not-authorized',
};
const notLocal: Refusal = {
  reasonCode: ReasonCode.notAuthorized,
  reason: 'without rules, $SYS and $events are for clients on loopback alone',
  counted: 'not-authorized',
};
const noShared: Refusal = {
  reasonCode: ReasonCode.sharedSubscriptionsNotSupported,
  reason: 'limits.sharedSubscriptionAvailable is false',
  counted: 'not-available',
};
const noWildcards: Refusal = {
  reasonCode: ReasonCode.wildcardSubscriptionsNotSupported,
  reason: 'limits.wildcardSubscriptionAvailable is false',
  counted: 'not-available',
};

export interface CheckParts {
  limits: Limits;
  authorizer: Authorizer | null;
}

/** Null: the client may subscribe, as far as limits of the session and the user allow. Throws ProtocolError for what ends the connection. */
export function checkSubscription(
  { limits, authorizer }: CheckParts,
  connection: Connection,
  session: Session,
  request: SubscriptionRequest,
): Refusal | null | Promise<Refusal | null> {
  const { filter } = request;
  // Well-formed and not accepted, as MQTT 5 section 3.9.3 says it of 0x8F. 0x97 would say that there may be room later.
  if (isFilterTooLong(filter, limits.topicBytesMax)) {
    const reason = `a filter of ${Buffer.byteLength(filter)} bytes; limits.topicBytesMax is ${limits.topicBytesMax}`;
    return { reasonCode: ReasonCode.topicFilterInvalid, reason, counted: 'invalid' };
  }
  const wrong = validateTopicFilter(filter);
  if (wrong !== null) return { reasonCode: ReasonCode.topicFilterInvalid, reason: wrong, counted: 'invalid' };
  const share = parseShare(filter);
  if (share !== null) {
    if (request.noLocal) {
      throw new ProtocolError(ReasonCode.protocolError, 'No Local on a shared subscription', 'MQTT-3.8.3-4');
    }
    if (!limits.sharedSubscriptionAvailable) return noShared;
  }
  if (!limits.wildcardSubscriptionAvailable && /[+#]/.test(filter)) return noWildcards;
  if (authorizer === null) return mayReadWithoutRules(filter, connection.remoteAddress) ? null : notLocal;
  const client = connection.signIn.identity(session.clientId);
  const allowed = authorizer.authorize(
    client,
    'subscribe',
    share?.filter ?? filter,
    request.qos,
    false,
    share?.shareName,
  );
  if (allowed === true) return null;
  if (allowed === false) return notAuthorized;
  // "Cannot tell" means no.
  return allowed.then(
    (isAllowed) => (isAllowed ? null : notAuthorized),
    () => notAuthorized,
  );
}
