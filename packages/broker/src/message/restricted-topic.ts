/** `$` topics with a meaning; all others are ordinary. */
import { matchedFilter } from '@dunlin/protocol';
import { isLocal } from '../guards/network-of.ts';

const readOnlyPrefixes = ['$SYS', '$share', '$events', '$dead-letter'];
const delayedPrefix = '$delayed';
/**
 * Topics under which bridges publish whether they are connected, retained, and by a will: as Mosquitto's do unless told
 * otherwise.
 */
const bridgePrefix = '$SYS/broker/connection/';
const bridgeEnd = '/state';

export function isRestrictedTopic(topic: string): boolean {
  if (topic.charCodeAt(0) !== 0x24) return false;
  return (
    isBelow(topic, delayedPrefix) ||
    (readOnlyPrefixes.some((prefix) => isBelow(topic, prefix)) && !isBridgeState(topic))
  );
}

/** `$SYS/broker/connection/+/state`. */
function isBridgeState(topic: string): boolean {
  if (!topic.startsWith(bridgePrefix) || !topic.endsWith(bridgeEnd)) return false;
  return topic.indexOf('/', bridgePrefix.length) === topic.length - bridgeEnd.length;
}

/** The state of a bridge with this client identifier: it says it wherever it may connect, whatever rules there are. */
export function isBridgeStateOf(topic: string, clientId: string): boolean {
  return topic.charCodeAt(0) === 0x24 && topic === `${bridgePrefix}${clientId}${bridgeEnd}` && isBridgeState(topic);
}

/**
 * The state of the broker, and who its clients are, is for its operator: where no rules say who else may read it, for clients on its machine.
 * True for every other filter.
 */
export function mayReadWithoutRules(filter: string, remoteAddress: string): boolean {
  const matched = matchedFilter(filter);
  if (!matched.startsWith('$SYS/') && !matched.startsWith('$events/')) return true;
  return isLocal(remoteAddress);
}

function isBelow(topic: string, prefix: string): boolean {
  return topic.startsWith(prefix) && (topic.length === prefix.length || topic[prefix.length] === '/');
}

/** `$delayed/…`: published later (delayed.ts). */
export function isDelayedTopic(topic: string): boolean {
  return isBelow(topic, delayedPrefix);
}
