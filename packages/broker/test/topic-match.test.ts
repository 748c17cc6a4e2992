/** The cache of the receivers of topics has a bound in bytes, whatever topics clients make up. */
import { describe, expect, test } from 'vitest';
import type { Subscription } from '../src/session/subscription.ts';
import { dropEmptyGroup, groupOf } from '../src/subscriptions/shared-subscriptions.ts';
import { SubscriptionTree } from '../src/subscriptions/subscription-tree.ts';
import { type TopicMatch, TopicMatches } from '../src/subscriptions/topic-match.ts';

const mebibyte = 1024 * 1024;

/** Asks for topics and returns those whose match is still kept, the last first. */
function keptAfter(tree: SubscriptionTree, topics: readonly string[]): TopicMatch[] {
  const matches = new TopicMatches(tree, 100_000, 128, 1);
  const find = (topic: string): TopicMatch => {
    const bytes = Buffer.from(topic);
    return matches.find(bytes, 0, bytes.length);
  };
  const found = topics.map(find).reverse();
  // What is asked for anew is another object: from there on nothing was kept.
  return found.filter((match) => find(match.topic) === match);
}

function subscriptions(count: number): Subscription[] {
  return Array.from({ length: count }, () => ({ session: {}, cursor: null }) as unknown as Subscription);
}

describe('matches that are kept', () => {
  test('of usual topics: all', () => {
    const topics = Array.from({ length: 20_000 }, (_, i) => `plant/7/line/${i}/temperature`);
    // A bucket holds four.
    expect(keptAfter(new SubscriptionTree(), topics).length).toBeGreaterThan(19_500);
  });

  test('of long topics: some mebibytes', () => {
    const topics = Array.from({ length: 40_000 }, (_, i) => `${i}/`.padEnd(1000, 'x'));
    const kept = keptAfter(new SubscriptionTree(), topics);
    expect(kept.length).toBeGreaterThan(100);
    expect(kept.length * 1000).toBeLessThan(9 * mebibyte);
  });

  test('with lists of their own: some mebibytes', () => {
    const tree = new SubscriptionTree();
    tree.entry('#').subscriptions.push(...subscriptions(2000));
    tree.entry('t/+').subscriptions.push(...subscriptions(1));
    const topics = Array.from({ length: 4000 }, (_, i) => `t/${i}`);
    const kept = keptAfter(tree, topics);
    expect(kept.length).toBeGreaterThan(100);
    expect(kept.length * kept[0].all.length * 8).toBeLessThan(17 * mebibyte);
  });

  test('with a list that all topics of a filter share: all', () => {
    const tree = new SubscriptionTree();
    tree.entry('t/+').subscriptions.push(...subscriptions(2000));
    const topics = Array.from({ length: 4000 }, (_, i) => `t/${i}`);
    expect(keptAfter(tree, topics).length).toBeGreaterThan(3900);
  });

  test('with thousands of shared groups: one list for all topics of a filter, anew when one joins or leaves', () => {
    const tree = new SubscriptionTree();
    const entry = tree.entry('t/+');
    const join = (index: number) => {
      const group = groupOf(tree, entry, `$share/g${index}/t/+`, 't/+');
      group.setRemote('another', 1);
      tree.touch();
      return group;
    };
    const groups = Array.from({ length: 5000 }, (_, index) => join(index));
    const topics = Array.from({ length: 4000 }, (_, i) => `t/${i}`);
    const kept = keptAfter(tree, topics);
    expect(kept.length).toBeGreaterThan(3900);
    expect(new Set(kept.map((match) => match.groups)).size).toBe(1);
    join(5000);
    groups[7].setRemote('another', 0);
    dropEmptyGroup(entry, groups[7]);
    const [match] = keptAfter(tree, ['t/1']);
    expect(match.groups).toHaveLength(5000);
    expect(match.groupCalled('$share/g7/t/+')).toBeUndefined();
    expect(match.groupCalled('$share/g5000/t/+')).toBeDefined();
  });
});
