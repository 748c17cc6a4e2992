/** Member of a group that gets a message, by strategy. */
import { describe, expect, test } from 'vitest';
import type { Publication } from '../src/message/publication.ts';
import { publicationOf } from '../src/message/publish-in-place.ts';
import { sharedStrategies } from '../src/ports/limits.ts';
import type { Subscription } from '../src/session/subscription.ts';
import { chooseLocal, chooseMember, SharedGroup } from '../src/subscriptions/shared-subscriptions.ts';

const self = 'n/1#1';

function groupOf(loads: number[], remote: [string, number][]): SharedGroup {
  const group = new SharedGroup('$share/g/t', 't', null);
  for (const load of loads) group.add({ session: { load } } as unknown as Subscription);
  for (const [endpoint, count] of remote) group.setRemote(endpoint, count);
  return group;
}

function message(topic: string, publisher = 'p'): Publication {
  const publication = publicationOf(topic, Buffer.from('x'), 1, false);
  publication.publisher = publisher;
  return publication;
}

/** Counts how often each was chosen; members by their position. */
function tally(
  group: SharedGroup,
  strategy: (typeof sharedStrategies)[number],
  rounds: number,
  make: (i: number) => Publication,
): Map<string | number, number> {
  const counts = new Map<string | number, number>();
  for (let i = 0; i < rounds; i++) {
    const chosen = chooseMember(group, strategy, make(i), self);
    const key = typeof chosen === 'string' ? chosen : group.members.indexOf(chosen as Subscription);
    expect(key).not.toBe(-1);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

describe.each(sharedStrategies)('%s', (strategy) => {
  test('a group of nobody has no member', () => {
    expect(chooseMember(groupOf([], []), strategy, message('t'), self)).toBeNull();
    expect(chooseLocal(groupOf([], [['n/0#1', 2]]), strategy, message('t'))).toBeNull();
  });

  test('whoever is the only one gets everything', () => {
    expect(tally(groupOf([0], []), strategy, 10, (i) => message(`t${i}`))).toEqual(new Map([[0, 10]]));
    expect(tally(groupOf([], [['n/0#1', 3]]), strategy, 10, (i) => message(`t${i}`))).toEqual(new Map([['n/0#1', 10]]));
  });
});

test('round-robin: equal shares, endpoints by their number of members', () => {
  const counts = tally(
    groupOf(
      [0, 0],
      [
        ['n/0#1', 1],
        ['n/2#1', 2],
      ],
    ),
    'round-robin',
    50,
    () => message('t'),
  );
  expect([counts.get(0), counts.get(1), counts.get('n/0#1'), counts.get('n/2#1')]).toEqual([10, 10, 10, 20]);
});

test('least-inflight: the local member with the least under way', () => {
  expect(tally(groupOf([5, 1, 3], []), 'least-inflight', 5, () => message('t'))).toEqual(new Map([[1, 5]]));
});

test('hash-topic and hash-client: the same member for the same topic or publisher, all members in use', () => {
  const group = groupOf([0, 0, 0], []);
  expect(tally(group, 'hash-topic', 20, () => message('one')).size).toBe(1);
  expect(tally(group, 'hash-topic', 200, (i) => message(`t${i}`)).size).toBe(3);
  expect(tally(group, 'hash-client', 20, (i) => message(`t${i}`, 'one')).size).toBe(1);
  expect(tally(group, 'hash-client', 200, (i) => message('t', `p${i}`)).size).toBe(3);
});

test('sticky: one, until it leaves', () => {
  const group = groupOf([0, 0, 0], []);
  expect(tally(group, 'sticky', 20, () => message('t')).size).toBe(1);
  const first = group.sticky as Subscription;
  group.remove(first);
  expect(tally(group, 'sticky', 20, () => message('t')).size).toBe(1);
  expect(group.sticky).not.toBe(first);
  const away = groupOf([], [['n/0#1', 1]]);
  tally(away, 'sticky', 1, () => message('t'));
  away.setRemote('n/0#1', 0);
  expect(chooseMember(away, 'sticky', message('t'), self)).toBeNull();
});

test('local-first: others only when nobody is here', () => {
  expect(tally(groupOf([0, 0], [['n/0#1', 50]]), 'local-first', 20, () => message('t')).has('n/0#1')).toBe(false);
  expect(tally(groupOf([], [['n/0#1', 1]]), 'local-first', 5, () => message('t'))).toEqual(new Map([['n/0#1', 5]]));
});

test('all endpoints count the same order of members, so that hashes agree between them', () => {
  const names = ['n/0#1', 'n/1#1', 'n/2#1'];
  for (let i = 0; i < 50; i++) {
    const topic = message(`t${i}`);
    const chosen = names.map((own) => {
      const group = groupOf(
        [0],
        names.filter((name) => name !== own).map((name) => [name, 1]),
      );
      const one = chooseMember(group, 'hash-topic', topic, own);
      return typeof one === 'string' ? one : own;
    });
    expect(new Set(chosen).size).toBe(1);
  }
});

test('a large group loses members in any order, and each that is left has its turn', () => {
  const group = groupOf(Array(500).fill(0), []);
  const members = [...group.members];
  const leaving = members.filter((_, index) => (index * 7) % 10 < 8);
  for (const member of [...leaving.slice(200).reverse(), ...leaving.slice(0, 200)]) group.remove(member);
  for (const member of leaving.slice(0, 3)) group.remove(member); // twice is once
  const left = members.filter((member) => !leaving.includes(member));
  expect(new Set(group.members)).toEqual(new Set(left));
  const chosen = left.map(() => chooseMember(group, 'round-robin', message('t'), self));
  expect(new Set(chosen)).toEqual(new Set(left));
  for (const member of left) group.remove(member);
  expect(chooseMember(group, 'round-robin', message('t'), self)).toBeNull();
  group.add(members[0]);
  group.remove(members[0]);
  expect(group.members).toEqual([]);
});
