import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { covers, fillIn, intersects, levelsOf, patternFault } from '../src/topic-pattern.ts';

/** Every topic of up to four levels over letters that stand in the filters, one that does not, the empty level and one with `$`. */
const topics: string[] = [];
const levels = ['a', 'b', 'z', '', '$x'];
let longest: string[] = levels;
for (let depth = 1; depth <= 4; depth++) {
  topics.push(...longest);
  longest = longest.flatMap((topic) => levels.map((level) => `${topic}/${level}`));
}

/** The text of MQTT 5, section 4.7, as an expression. */
function matcher(filter: string): (topic: string) => boolean {
  const body = filter
    .split('/')
    .map((level) => (level === '+' ? '[^/]*' : level === '#' ? '.*' : level.replace('$', '\\$')))
    .join('/')
    .replace(/\/\.\*$/, '(?:/.*)?');
  const expression = new RegExp(`^${body}$`);
  const isWild = /^[+#]/.test(filter);
  return (topic) => !(isWild && topic.startsWith('$')) && expression.test(topic);
}

const filters = fc
  .tuple(fc.array(fc.constantFrom('a', 'b', '', '+', '$x'), { maxLength: 3 }), fc.boolean())
  .map(([parts, isOpen]) => (isOpen || parts.length === 0 ? [...parts, '#'] : parts).join('/'))
  .filter((filter) => filter !== '');

describe('filters as sets of topics, against every topic', () => {
  test('covers', () => {
    fc.assert(
      fc.property(filters, filters, (pattern, filter) => {
        const [inPattern, inFilter] = [matcher(pattern), matcher(filter)];
        const isCovered = topics.every((topic) => !inFilter(topic) || inPattern(topic));
        expect(covers(levelsOf(pattern), levelsOf(filter))).toBe(isCovered);
      }),
      { numRuns: 3000 },
    );
  });

  test('intersects', () => {
    fc.assert(
      fc.property(filters, filters, (one, other) => {
        const [inOne, inOther] = [matcher(one), matcher(other)];
        const isShared = topics.some((topic) => inOne(topic) && inOther(topic));
        expect(intersects(levelsOf(one), levelsOf(other))).toBe(isShared);
      }),
      { numRuns: 3000 },
    );
  });

  test('a topic is covered where it matches', () => {
    fc.assert(
      fc.property(filters, fc.constantFrom(...topics), (pattern, topic) => {
        expect(covers(levelsOf(pattern), levelsOf(topic))).toBe(matcher(pattern)(topic));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('%c and %u', () => {
  const fill = (pattern: string, clientId: string, userName: string | null, isDenied = false) =>
    fillIn(levelsOf(pattern), clientId, userName, isDenied)?.join('/') ?? null;

  test('are filled in, as a level or in one', () => {
    expect(fill('a/%c/dev-%u/#', 'one', 'two')).toBe('a/one/dev-two/#');
    expect(fill('%c/%c', '%u', 'two')).toBe('%u/%u');
  });

  test.each(['+', '#', 'a/b', '/', '$SYS', 'x+', ''])('an identity of "%s" matches nothing that is allowed', (evil) => {
    expect(fill('a/%c', evil, 'u')).toBeNull();
    expect(fill('a/%u', 'c', evil)).toBeNull();
  });

  test('and everything that is denied', () => {
    expect(fill('a/%c/b', '+', 'u', true)).toBe('a/#');
    expect(fill('a/%u', 'c', null, true)).toBe('a/#');
    expect(fill('%c/b', 'x/y', 'u', true)).toBe('#');
  });

  test.each(['$SYS', '$SYS/broker', '$x', '$x/+'])('in the first level, too, where it begins with $: "%s"', (evil) => {
    for (const [pattern, clientId, userName] of [
      ['%c/#', evil, 'u'],
      ['%u/b', 'c', evil],
      ['%c', evil, null],
    ] as const) {
      const denied = levelsOf(fill(pattern, clientId, userName, true) ?? '');
      expect(intersects(denied, levelsOf(`${evil.split('/')[0]}/a/b`))).toBe(true);
      expect(intersects(denied, levelsOf('other/a/b'))).toBe(false);
    }
  });
});

test.each(['', 'a/#/b', 'a+', '+a', 'a#', '$share/g/a', '$delayed/1/a', 'a\0'])('"%s" is no pattern', (pattern) => {
  expect(patternFault(pattern)).not.toBeNull();
});
test.each(['#', '+', 'a/+/b/#', '$SYS/#', '/', '%c/+', '$shared'])('"%s" is a pattern', (pattern) => {
  expect(patternFault(pattern)).toBeNull();
});
