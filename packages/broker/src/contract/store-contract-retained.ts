import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Store } from '../ports/store.ts';
import { bytes, now, retainedOf, retainedTopics, type StoreUnderTest, text } from './store-contract-kit.ts';

const topics = [
  'a',
  'a/b',
  'a/b/c',
  'a//b',
  'a/',
  '/a',
  '/',
  '//',
  'aa',
  'aa/b',
  'b',
  'b/b',
  'b/b/c',
  'A',
  'ä/ö',
  'a b/+ish',
  '$SYS',
  '$SYS/a',
  '$SYS/a/b',
  'a/$b',
  '\u0001/b',
  'a\u0001',
  'a\u0001/b',
  'a\u0002',
  '\u{10ffff}/b',
  'a/\u007f/c',
];

/** Topics that each filter finds among `topics`. */
const finds: [filter: string, found: string[]][] = [
  ['a', ['a']],
  ['a/b', ['a/b']],
  ['x', []],
  ['a/x', []],
  ['#', topics.filter((topic) => !topic.startsWith('$'))],
  ['+', ['a', 'aa', 'b', 'A', 'a\u0001', 'a\u0002']],
  ['+/+', ['a/b', 'a/', '/a', '/', 'aa/b', 'b/b', 'ä/ö', 'a b/+ish', 'a/$b', '\u0001/b', 'a\u0001/b', '\u{10ffff}/b']],
  ['+/b', ['a/b', 'aa/b', 'b/b', '\u0001/b', 'a\u0001/b', '\u{10ffff}/b']],
  ['+/b/#', ['a/b', 'a/b/c', 'aa/b', 'b/b', 'b/b/c', '\u0001/b', 'a\u0001/b', '\u{10ffff}/b']],
  ['+/+/c', ['a/b/c', 'b/b/c', 'a/\u007f/c']],
  ['a/#', ['a', 'a/b', 'a/b/c', 'a//b', 'a/', 'a/$b', 'a/\u007f/c']],
  ['a/+', ['a/b', 'a/', 'a/$b']],
  ['a/+/c', ['a/b/c', 'a/\u007f/c']],
  ['a//b', ['a//b']],
  ['a/+/b', ['a//b']],
  ['a//#', ['a//b', 'a/']],
  ['/#', ['/a', '/', '//']],
  ['/', ['/']],
  ['/+', ['/a', '/']],
  ['+/', ['a/', '/']],
  ['//#', ['//', '/']],
  ['$SYS/#', ['$SYS', '$SYS/a', '$SYS/a/b']],
  ['$SYS/+', ['$SYS/a']],
  ['$SYS', ['$SYS']],
  ['a\u0001/#', ['a\u0001', 'a\u0001/b']],
];

export function retainedContract(opened: StoreUnderTest<Pick<Store, 'retained'>>): void {
  describe('retained', () => {
    it('finds what a filter matches', async () => {
      const { store } = opened;
      await Promise.all(topics.map((topic) => store.retained.set(topic, bytes(`of ${topic}`), Infinity)));
      expect(await store.retained.count()).toBe(topics.length);
      for (const limit of [1, 3, 100]) {
        for (const [filter, found] of finds)
          expect([filter, await retainedTopics(store, filter, limit)]).toEqual([filter, found.toSorted()]);
      }
      for (const entry of await retainedOf(store, '#')) expect(text(entry.record)).toBe(`of ${entry.topic}`);
    });

    it('replaces and removes', async () => {
      const { store } = opened;
      await store.retained.set('a', bytes('1'), Infinity);
      await store.retained.set('a', bytes('2'), now + 5);
      const [{ topic, record, expiresAt }] = await retainedOf(store, 'a');
      expect([topic, text(record), expiresAt]).toEqual(['a', '2', now + 5]);
      await store.retained.set('a', null, Infinity);
      await store.retained.set('never', null, Infinity);
      expect(await retainedTopics(store, '#')).toEqual([]);
      expect(await store.retained.count()).toBe(0);
    });

    it('hides what has expired', async () => {
      const { store } = opened;
      await store.retained.set('a', bytes('1'), now + 5);
      await store.retained.set('b', bytes('1'), Infinity);
      expect(await retainedTopics(store, '#', 1, now + 4)).toEqual(['a', 'b']);
      expect(await retainedTopics(store, '#', 1, now + 5)).toEqual(['b']);
      expect(await retainedTopics(store, 'a', 1, now + 5)).toEqual([]);
    });

    it('holds topics up to the longest', async () => {
      const { store } = opened;
      const long = 'x'.repeat(65_531);
      const level = 'y'.repeat(3_000);
      const many = Array.from({ length: 30_000 }, () => 'z').join('/');
      const found = [
        `l/${long}1`,
        `l/${long}2`,
        `l/${level}/1`,
        `l/${level}/2`,
        `m/${level}/1`,
        many,
        'l',
        'l/s',
        'ü'.repeat(32_767),
        '\u0001'.repeat(2_000),
      ];
      for (const topic of found) await store.retained.set(topic, bytes(topic.slice(-3)), Infinity);
      const expectations: [string, string[]][] = [
        ['#', found],
        [found[0], [found[0]]],
        [`${found[0]}x`, []],
        ['l/#', found.filter((topic) => topic.startsWith('l'))],
        ['l/+', [found[0], found[1], 'l/s']],
        [`l/${level}/+`, [found[2], found[3]]],
        [`+/${level}/1`, [found[2], found[4]]],
        [`l/${level}/1/#`, [found[2]]],
        [`${many}/#`, [many]],
        ['z/+/z/#', [many]],
      ];
      for (const [filter, expected] of expectations) {
        expect((await retainedTopics(store, filter, 2)).map((topic) => found.indexOf(topic)).sort()).toEqual(
          expected.map((topic) => found.indexOf(topic)).sort(),
        );
      }
      for (const { topic, record } of await retainedOf(store, '#')) expect(text(record)).toBe(topic.slice(-3));
      await store.retained.set(found[1], null, Infinity);
      expect(await store.retained.count()).toBe(found.length - 1);
    });

    it('ends a page at 1 MiB of records, and has a message in it at least', async () => {
      const { store } = opened;
      const names = Array.from({ length: 5 }, (_, index) => `s/${index}/t`);
      for (const topic of names) await store.retained.set(topic, Buffer.alloc(700_000, topic), Infinity);
      await store.retained.set('s/large/t', Buffer.alloc(3_000_000, 1), Infinity);
      const found: string[] = [];
      let after: string | null = null;
      do {
        const page = await store.retained.read('s/+/t', after, 100, now);
        const lengths = page.entries.map(({ record }) => record.length);
        // It is full with the last one, and was not before; what came of another server may be as much again.
        expect(lengths.slice(0, -1).reduce((sum, length) => sum + length, 0)).toBeLessThan(2 * 1024 * 1024);
        expect(lengths.length).toBeLessThan(names.length);
        found.push(...page.entries.map(({ topic }) => topic));
        after = page.next;
      } while (after !== null);
      expect(found.sort()).toEqual([...names, 's/large/t']);
    });

    it('pages in a stable order, while others write', async () => {
      const { store } = opened;
      const names = Array.from({ length: 50 }, (_, index) => `s/${index}/t`);
      for (const topic of names) await store.retained.set(topic, bytes('1'), Infinity);
      const order = (await retainedOf(store, 's/+/t', 7)).map(({ topic }) => topic);
      expect((await retainedOf(store, 's/+/t', 50)).map(({ topic }) => topic)).toEqual(order);
      const first = await store.retained.read('s/+/t', null, 20, now);
      await store.retained.set(order[3], null, Infinity);
      await store.retained.set(order[30], null, Infinity);
      await store.retained.set(order[40], bytes('2'), Infinity);
      const rest: string[] = [];
      for (let next = first.next; next !== null; ) {
        const page = await store.retained.read('s/+/t', next, 20, now);
        rest.push(...page.entries.map(({ topic }) => topic));
        next = page.next;
      }
      expect([...first.entries.map(({ topic }) => topic), ...rest]).toEqual(
        order.filter((topic) => topic !== order[30]),
      );
    });

    it('agrees with the definition of matching on arbitrary topics and filters', async () => {
      const { store } = opened;
      const level = fc.constantFrom('', 'a', 'b', 'ab', '$', '\u0001', '\u0002');
      const topic = fc
        .array(level, { minLength: 1, maxLength: 4 })
        .map((levels) => levels.join('/'))
        .filter((name) => name !== '');
      const inFilter = fc.oneof(level, fc.constant('+'));
      const filter = fc
        .tuple(fc.array(inFilter, { minLength: 0, maxLength: 4 }), fc.boolean())
        .map(([levels, hash]) => [...levels, ...(hash || levels.length === 0 ? ['#'] : [])].join('/'))
        .filter((name) => name !== '');
      const stored = new Set<string>();
      await fc.assert(
        fc.asyncProperty(
          fc.array(topic, { maxLength: 6 }),
          fc.array(filter, { minLength: 1, maxLength: 6 }),
          fc.integer({ min: 1, max: 9 }),
          async (added, filters, limit) => {
            for (const name of added) {
              stored.add(name);
              await store.retained.set(name, bytes('r'), Infinity);
            }
            for (const each of filters) {
              const expected = [...stored].filter((name) => matches(each.split('/'), name.split('/'))).sort();
              expect([each, await retainedTopics(store, each, limit)]).toEqual([each, expected]);
            }
          },
        ),
        { numRuns: 40 },
      );
    });
  });
}

/** The definition, by recursion. */
function matches(filter: string[], topic: string[], first = true): boolean {
  const [wanted, ...filters] = filter;
  if (first && topic[0].startsWith('$') && (wanted === '#' || wanted === '+')) return false;
  if (wanted === '#') return true;
  if (topic.length === 0 || wanted === undefined) return topic.length === 0 && wanted === undefined;
  return (wanted === '+' || wanted === topic[0]) && matches(filters, topic.slice(1), false);
}
