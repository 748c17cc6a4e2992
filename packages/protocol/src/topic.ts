import { stringBytesMax } from './bytes.ts';

/** The most levels of a topic name or filter: matching walks one level at a time, and nobody needs more. */
export const topicLevelsMax = 128;

const sharePrefix = '$share/';

/**
 * Checks a topic filter, shared or not. Returns null if it may be subscribed to, otherwise what is wrong with it.
 */
export function validateTopicFilter(filter: string): string | null {
  const wrong = validateText(filter);
  if (wrong !== null) return wrong;
  if (!isShared(filter)) return validatePlainFilter(filter);
  const share = parseShare(filter);
  if (share === null) return 'a shared subscription is $share/{name}/{filter}'; // [MQTT-4.8.2-1] [MQTT-4.8.2-2]
  if (/[+#]/.test(share.shareName)) return 'a share name holds + or #'; // [MQTT-4.8.2-2]
  return validatePlainFilter(share.filter);
}

/** Checks a topic name. Returns null if it may be published to, otherwise what is wrong with it. */
export function validateTopic(topic: string): string | null {
  const wrong = validateText(topic);
  if (wrong !== null) return wrong;
  if (/[+#]/.test(topic)) return 'a topic name holds a wildcard'; // [MQTT-4.7.0-1]
  return validateLevels(topic);
}

/** Checks the rules that topic names and topic filters share. */
function validateText(text: string): string | null {
  if (text.length === 0) return 'it is empty'; // [MQTT-4.7.3-1]
  if (text.includes('\u0000')) return 'it holds U+0000'; // [MQTT-4.7.3-2]
  if (!text.isWellFormed()) return 'it holds a lone surrogate'; // [MQTT-1.5.4-1]
  // No UTF-16 unit takes more than three bytes, so that short strings need no measuring.
  if (text.length * 3 > stringBytesMax && Buffer.byteLength(text) > stringBytesMax) {
    return `it is over ${stringBytesMax} bytes`; // [MQTT-4.7.3-3]
  }
  return null;
}

function validateLevels(text: string): string | null {
  let levels = 1;
  for (let at = text.indexOf('/'); at !== -1; at = text.indexOf('/', at + 1)) levels++;
  return levels > topicLevelsMax ? `it has over ${topicLevelsMax} levels` : null;
}

function validatePlainFilter(filter: string): string | null {
  const last = filter.length - 1;
  for (let at = 0; at <= last; at++) {
    const character = filter[at];
    if (character !== '#' && character !== '+') continue;
    const startsLevel = at === 0 || filter[at - 1] === '/';
    if (character === '#' && !(startsLevel && at === last)) return '# is not the whole last level'; // [MQTT-4.7.1-1]
    if (character === '+' && !(startsLevel && (at === last || filter[at + 1] === '/'))) {
      return '+ is not a whole level'; // [MQTT-4.7.1-2]
    }
  }
  return validateLevels(filter);
}

/**
 * Takes `$share/{shareName}/{filter}` apart. Returns null for every other filter, also for one that starts with
 * `$share/` and lacks the name or the filter; the share name's characters are not checked here.
 */
export function parseShare(filter: string): { shareName: string; filter: string } | null {
  if (!isShared(filter)) return null;
  const slash = filter.indexOf('/', sharePrefix.length);
  if (slash <= sharePrefix.length || slash === filter.length - 1) return null; // [MQTT-4.8.2-1] [MQTT-4.8.2-2]
  return { shareName: filter.slice(sharePrefix.length, slash), filter: filter.slice(slash + 1) };
}

/** True when a valid filter is that of a shared subscription: `$share/{shareName}/{filter}` [MQTT-4.8.2-1]. */
export function isShared(filter: string): boolean {
  return filter.startsWith(sharePrefix);
}

/**
 * Filter that topics are matched with: of a valid shared filter the part behind the share name, which holds no `/`
 * [MQTT-4.8.2-2]; any other filter as it is.
 */
export function matchedFilter(filter: string): string {
  return isShared(filter) ? filter.slice(filter.indexOf('/', sharePrefix.length) + 1) : filter;
}

/**
 * True when a topic name matches a valid topic filter that is not shared. Plain and slow: the reference that faster
 * matchers are tested against. Levels are compared character by character, without normalization [MQTT-4.7.3-4].
 */
export function topicMatchesFilter(topic: string, filter: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  if (topic.startsWith('$') && (wanted[0] === '+' || wanted[0] === '#')) return false; // [MQTT-4.7.2-1]
  for (let at = 0; at < wanted.length; at++) {
    // `#` also stands for the level above it: `sport/#` matches `sport` (MQTT 5.0, 4.7.1.2).
    if (wanted[at] === '#') return true;
    if (at >= levels.length) return false;
    if (wanted[at] !== '+' && wanted[at] !== levels[at]) return false;
  }
  return wanted.length === levels.length;
}
