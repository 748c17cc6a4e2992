/**
 * Topic filters as sets of topics, compared with each other. A filter is the list of its levels.
 *
 * `+` and `#` in the first level stand for no topic that begins with `$` [MQTT-4.7.2-1]; `a/#` stands for `a`, too
 * (MQTT 5, section 4.7.1.2).
 */
export type Levels = readonly string[];

export function levelsOf(filter: string): Levels {
  return filter.split('/');
}

function isHidden(level: string): boolean {
  return level.charCodeAt(0) === 0x24;
}

/** True when every topic of `filter` is one of `pattern`. A topic name is a filter of one topic. */
export function covers(pattern: Levels, filter: Levels): boolean {
  for (let i = 0; ; i++) {
    const wanted = pattern[i];
    const given = filter[i];
    if (wanted === '#') return i > 0 || !isHidden(given);
    // Nothing below is left out only by `+/#` in the first level: deeper, `a/#` has `a` itself, which `a/+/#` has not.
    if (given === '#') return i === 0 && wanted === '+' && pattern[1] === '#';
    if (given === undefined) return wanted === undefined;
    if (wanted === undefined) return false;
    if (wanted === '+') {
      if (i === 0 && isHidden(given)) return false;
    } else if (wanted !== given) {
      return false;
    }
  }
}

/** True when a topic matches both. */
export function intersects(one: Levels, other: Levels): boolean {
  for (let i = 0; ; i++) {
    const a = one[i];
    const b = other[i];
    if (a === '#') return i > 0 || !isHidden(b);
    if (b === '#') return i > 0 || !isHidden(a);
    if (a === undefined || b === undefined) return a === b;
    if (a === '+' || b === '+') {
      if (i === 0 && (isHidden(a) || isHidden(b))) return false;
    } else if (a !== b) {
      return false;
    }
  }
}

/**
 * A pattern of a rule for one client: `%c` is its client identifier, `%u` its user name, as a level or in one.
 *
 * An identity that holds `+`, `#` or `/`, or begins with `$`, would turn the pattern into another one. So would one
 * that is not there. What allows something then matches nothing (null), and what denies something matches all that it
 * could have stood for: `#`, or in the first level, where `#` leaves out `$` topics, the `$` topics of that identity.
 */
export function fillIn(pattern: Levels, clientId: string, userName: string | null, isDenied: boolean): Levels | null {
  const filled: string[] = [];
  for (const level of pattern) {
    const isSafe = (!level.includes('%c') || isPlain(clientId)) && (!level.includes('%u') || isPlain(userName));
    if (!isSafe && !isDenied) return null;
    const text = level.replace(/%[cu]/g, (mark) => (mark === '%c' ? clientId : (userName ?? '')));
    if (isSafe) filled.push(text);
    else return filled.length === 0 && isHidden(text) ? [text.split('/')[0], '#'] : [...filled, '#'];
  }
  return filled;
}

/** True for an identity that can be filled in. */
export function isPlain(identity: string | null): boolean {
  return identity !== null && identity !== '' && !/[+#/]|^\$/.test(identity);
}

/** True when `fillIn` would change the pattern. */
export function hasMarks(pattern: Levels): boolean {
  return pattern.some((level) => /%[cu]/.test(level));
}

/** Returns the fault of a pattern; null: none. */
export function patternFault(pattern: string): string | null {
  if (pattern === '') return 'an empty topic';
  if (pattern.includes('\0')) return 'a zero character';
  const levels = pattern.split('/');
  for (const [index, level] of levels.entries()) {
    if (level === '+' || (level === '#' && index === levels.length - 1)) continue;
    if (/[+#]/.test(level)) return '+ and # stand alone in a level, # in the last';
  }
  if (levels[0] === '$share' || levels[0] === '$delayed')
    return `${levels[0]} is not written: the topic behind it is checked`;
  return null;
}
