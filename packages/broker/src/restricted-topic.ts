/** `$` topics with a meaning; all others are ordinary. */
const readOnlyPrefixes = ['$SYS', '$share', '$events', '$dead-letter'];
const delayedPrefix = '$delayed';

export function isRestrictedTopic(topic: string): boolean {
  if (topic.charCodeAt(0) !== 0x24) return false;
  return isBelow(topic, delayedPrefix) || readOnlyPrefixes.some((prefix) => isBelow(topic, prefix));
}

function isBelow(topic: string, prefix: string): boolean {
  return topic.startsWith(prefix) && (topic.length === prefix.length || topic[prefix.length] === '/');
}

/** `$delayed/…`: published later (delayed.ts). */
export function isDelayedTopic(topic: string): boolean {
  return isBelow(topic, delayedPrefix);
}
