import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isShared,
  isUtf8,
  matchedFilter,
  ProtocolError,
  parseShare,
  topicLevelsMax,
  topicMatchesFilter,
  validateTopic,
  validateTopicFilter,
  validateTopicName,
} from '../src/index.ts';
import { checkUtf8, Utf8 } from '../src/utf8.ts';
import { filter, topic } from './arbitraries.ts';

const levels = (count: number): string => new Array(count).fill('a').join('/');

describe('topic filters', () => {
  it.each([
    'a',
    '/',
    '//',
    'a/b',
    '#',
    '+',
    '/#',
    'a/#',
    '+/#',
    '+/a/+',
    'a/+/b',
    '/+',
    ' ',
    '$share',
    '$SYS/#',
    '$share/g/a',
    '$share/g/#',
    '$share/g//',
    '$share/g/$SYS/#',
    'x'.repeat(65_535),
    levels(topicLevelsMax),
    `$share/g/${levels(topicLevelsMax)}`,
  ])('%j is allowed', (text) => {
    expect(validateTopicFilter(text)).toBeNull();
  });

  it.each([
    ['', 'empty'], // [MQTT-4.7.3-1]
    ['a\u0000', 'U+0000'], // [MQTT-4.7.3-2]
    ['a\ud800', 'surrogate'], // [MQTT-1.5.4-1]
    ['x'.repeat(65_536), 'bytes'], // [MQTT-4.7.3-3]
    ['ü'.repeat(32_768), 'bytes'],
    ['a#', '#'], // [MQTT-4.7.1-1]
    ['#/a', '#'],
    ['a/#/b', '#'],
    ['##', '#'],
    ['a+', '+'], // [MQTT-4.7.1-2]
    ['+a', '+'],
    ['a/+b/c', '+'],
    ['++', '+'],
    [levels(topicLevelsMax + 1), 'levels'],
    ['$share/', '$share/{name}/{filter}'], // [MQTT-4.8.2-1]
    ['$share//a', '$share/{name}/{filter}'],
    ['$share/g', '$share/{name}/{filter}'], // [MQTT-4.8.2-2]
    ['$share/g/', '$share/{name}/{filter}'],
    ['$share/g+/a', 'share name'],
    ['$share/#/a', 'share name'],
    ['$share/g/a#', '#'],
    [`$share/g/${levels(topicLevelsMax + 1)}`, 'levels'],
  ])('%j is refused', (text, why) => {
    expect(validateTopicFilter(text)).toContain(why);
  });

  it.each([
    ['$share/g/a/b', { shareName: 'g', filter: 'a/b' }],
    ['$share/g//', { shareName: 'g', filter: '/' }],
    ['$share/g', null],
    ['$share//a', null],
    ['$shared/g/a', null],
    ['a', null],
  ])('%j is taken apart', (text, share) => {
    expect(parseShare(text)).toEqual(share);
  });

  it.each([
    ['$share/g/a/+', true, 'a/+'],
    ['$share/g//a', true, '/a'],
    ['$share', false, '$share'],
    ['$SYS/#', false, '$SYS/#'],
    ['a/$share/b', false, 'a/$share/b'],
  ])('%j is matched without the share name', (text, shared, matched) => {
    expect([isShared(text), matchedFilter(text)]).toEqual([shared, matched]);
  });
});

describe('topic names', () => {
  const table: [string, boolean][] = [
    ['a', true],
    ['/', true],
    ['a/b c/ü', true],
    ['$SYS/x', true],
    [levels(topicLevelsMax), true],
    [levels(topicLevelsMax + 1), false],
    ['', false],
    ['a/+', false],
    ['#', false],
    ['a\u0000b', false],
  ];

  it.each(table)('%j as text and as bytes: %s', (text, allowed) => {
    expect(validateTopic(text) === null).toBe(allowed);
    const bytes = Buffer.from(`++${text}++`);
    const check = () => validateTopicName(bytes, 2, bytes.length - 2);
    if (allowed) check();
    else expect(check).toThrow(ProtocolError);
  });
});

describe('matching', () => {
  it.each([
    ['sport/tennis', 'sport/tennis', true],
    ['sport/tennis', 'sport/+', true],
    ['sport', 'sport/#', true],
    ['sport/', 'sport/#', true],
    ['sport/a/b', 'sport/#', true],
    ['sport', 'sport/+', false],
    ['sport/', 'sport/+', true],
    ['/finance', '+/+', true],
    ['/finance', '/+', true],
    ['/finance', '+', false],
    ['ACCOUNTS', 'Accounts', false], // [MQTT-4.7.3-4]
    ['a', '#', true],
    ['$SYS/a', '#', false], // [MQTT-4.7.2-1]
    ['$SYS/a', '+/a', false], // [MQTT-4.7.2-1]
    ['$SYS/a', '$SYS/#', true],
    ['$SYS/monitor/a', '$SYS/monitor/+', true],
    ['a/$b', '#', true],
    ['a/$b', 'a/+', true],
    ['a/b/c', 'a/b', false],
    ['a/b', 'a/b/c', false],
    ['a/b', 'a/b/+/#', false],
  ])('%s with %s: %s', (name, pattern, matches) => {
    expect(topicMatchesFilter(name, pattern)).toBe(matches);
  });

  it('agrees with a regular expression', () => {
    fc.assert(
      fc.property(topic, filter, (name, pattern) => {
        const body = pattern
          .split('/')
          .map((level) => (level === '#' ? '.*' : level === '+' ? '[^/]*' : level.replace(/[$]/g, '\\$&')))
          .join('/')
          .replace(/\/\.\*$/, '(/.*)?');
        const hidden = name.startsWith('$') && /^[+#]/.test(pattern);
        expect(topicMatchesFilter(name, pattern)).toBe(!hidden && new RegExp(`^${body}$`, 'su').test(name));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('UTF-8', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const reference = (bytes: Uint8Array): boolean => {
    try {
      strict.decode(bytes);
      return true;
    } catch (error) {
      if (error instanceof TypeError) return false;
      throw error;
    }
  };

  it.each([
    ['', Utf8.ascii],
    ['7f', Utf8.ascii],
    ['c280', Utf8.multibyte],
    ['efbbbf', Utf8.multibyte], // [MQTT-1.5.4-3]
    ['f48fbfbf', Utf8.multibyte],
    ['ed9fbf', Utf8.multibyte],
    ['ee8080', Utf8.multibyte],
    ['00', Utf8.nul], // [MQTT-1.5.4-2]
    ['c3bc00', Utf8.nul],
    ['c080', Utf8.illFormed], // [MQTT-1.5.4-1], an overlong U+0000
    ['c1bf', Utf8.illFormed],
    ['e09fbf', Utf8.illFormed],
    ['f08fbfbf', Utf8.illFormed],
    ['eda080', Utf8.illFormed],
    ['edbfbf', Utf8.illFormed],
    ['f4908080', Utf8.illFormed],
    ['f5808080', Utf8.illFormed],
    ['80', Utf8.illFormed],
    ['c2', Utf8.illFormed],
    ['e282', Utf8.illFormed],
    ['f09f98', Utf8.illFormed],
    ['c2c2', Utf8.illFormed],
  ])('%s', (hex, expected) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(checkUtf8(bytes, 0, bytes.length)).toBe(expected);
  });

  it('is judged as TextDecoder does, for every lead with every second byte and for random bytes', () => {
    for (let lead = 0; lead < 256; lead++) {
      for (let second = 0; second < 256; second++) {
        const bytes = Uint8Array.of(lead, second, 0x80, 0x80);
        for (let length = 1; length <= 4; length++) {
          expect(isUtf8(bytes, 0, length)).toBe(reference(bytes.subarray(0, length)));
        }
      }
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const found = checkUtf8(bytes, 0, bytes.length);
        expect(isUtf8(bytes, 0, bytes.length)).toBe(reference(bytes));
        if (found !== Utf8.nul) expect(found !== Utf8.illFormed).toBe(reference(bytes));
        else expect(bytes.includes(0)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });
});
