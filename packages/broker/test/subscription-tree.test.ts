// Before the rooms: src/subscription-tree.test.ts
import { topicMatchesFilter } from '@dunlin/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SubscriptionTree } from '../src/subscriptions/subscription-tree.ts';

const level = fc.constantFrom('a', 'b', '', 'c');
const filterLevel = fc.constantFrom('a', 'b', '', '+', '+');
const topic = fc.array(level, { minLength: 1, maxLength: 6 }).map((levels) => levels.join('/'));
const filter = fc
  .tuple(fc.array(filterLevel, { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([levels, multi]) => (multi ? [...levels, '#'] : levels).join('/'));

function matched(tree: SubscriptionTree, name: string): string[] {
  return tree
    .match(name)
    .map((entry) => entry.filter)
    .sort();
}

/** Something that keeps an entry from being pruned. */
function occupy(tree: SubscriptionTree, name: string): void {
  tree.entry(name).endpoints = ['another'];
}

describe('subscription tree', () => {
  test('matches what the rules of topics say, whatever the filters', () => {
    fc.assert(
      fc.property(fc.uniqueArray(filter, { maxLength: 30 }), fc.array(topic, { maxLength: 10 }), (filters, topics) => {
        const tree = new SubscriptionTree();
        for (const name of filters) occupy(tree, name);
        for (const name of [...topics, '$SYS/a', '$a']) {
          const expected = filters.filter((one) => topicMatchesFilter(name, one)).sort();
          expect(matched(tree, name)).toEqual(expected);
        }
      }),
    );
  });

  test('pruning leaves nothing behind, in any order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(filter, { maxLength: 30 }), (filters) => {
        const tree = new SubscriptionTree();
        for (const name of filters) occupy(tree, name);
        for (const name of [...filters].reverse()) {
          const entry = tree.entry(name);
          entry.endpoints = null;
          tree.prune(entry);
        }
        expect(tree.filterCount).toBe(0);
        expect(tree.isEmpty).toBe(true);
      }),
    );
  });
});
