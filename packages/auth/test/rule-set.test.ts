import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Rule } from '../src/rule.ts';
import { readRules } from '../src/rules/read-rules.ts';
import { type Asked, type Decides, decidesPublish, decidesSubscribe } from '../src/rules/rule-entry.ts';
import { readRuleList, ruleSetInTurns, ruleSetOf } from '../src/rules/rule-list.ts';
import { mayPublish, maySubscribe, RuleSet } from '../src/rules/rule-set.ts';
import { RulesAuthorizer } from '../src/rules-authorizer.ts';
import { hasMarks } from '../src/topic-pattern.ts';

const rulesOf = (items: unknown[]): Rule[] =>
  readRules(
    items,
    (_, what) => {
      throw new Error(what);
    },
    Number.POSITIVE_INFINITY,
  );

/** The answer of one rule after another. */
function oneAfterAnother(rules: readonly Rule[], asked: Asked, decides: Decides): boolean | null {
  for (const [order, rule] of rules.entries())
    for (const pattern of rule.topics)
      if (decides({ order, rule, pattern, isMarked: hasMarks(pattern) }, asked)) return rule.allows;
  return null;
}

const level = fc.constantFrom('a', 'b', 'c1', 'ann', '+', '%c', '%u', 'x-%c', '$x', '$%u', '');
const pattern = fc
  .tuple(fc.array(level, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([levels, hasTail]) => [...levels, ...(hasTail ? ['#'] : [])].join('/'))
  .map((text) => (text === '' ? '#' : text));
const names = (...values: string[]) => fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: 2 });
/** Most rules are for everybody, so that there are enough of them for an index. */
const sometimes = <Value>(value: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
const item = fc
  .record({
    word: fc.constantFrom('allow', 'deny'),
    action: fc.constantFrom('publish', 'subscribe', 'all'),
    topics: fc.array(pattern, { minLength: 1, maxLength: 2 }),
    user: sometimes(names('ann', 'an*', '*', '*n', 'bob')),
    client: sometimes(names('c1', '%u', '%u-*', 'c*', 'ann-1')),
    anonymous: fc.boolean(),
    qos: fc.option(fc.constantFrom(0, 1, 2), { nil: undefined }),
  })
  .map(({ word, action, ...rest }) =>
    Object.fromEntries(Object.entries({ [word]: action, ...rest }).filter(([, value]) => value !== undefined)),
  );
const asked = fc.record({
  client: fc.record({
    clientId: fc.constantFrom('c1', 'ann', 'ann-1', 'a/b', '+', '$x', ''),
    userName: fc.constantFrom(null, 'ann', 'bob', '#', 'a'),
    remoteAddress: fc.constant('10.0.0.1:1'),
  }),
  topic: fc.array(fc.constantFrom('a', 'b', 'c1', 'ann', 'x-c1', '$x', '$ann', ''), { minLength: 1, maxLength: 4 }),
  wild: fc.array(fc.constantFrom(0, 1, 2), { maxLength: 2 }),
  hasTail: fc.boolean(),
  qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
});

describe('many rules', () => {
  test('answer as one after another would, for every client, topic and filter', () => {
    fc.assert(
      fc.property(
        fc.array(item, { minLength: 40, maxLength: 80 }),
        fc.array(asked, { minLength: 20, maxLength: 20 }),
        (items, questions) => {
          const rules = rulesOf(items);
          const set = RuleSet.of(rules);
          for (const { client, topic, wild, hasTail, qos } of questions) {
            const groups = set.groupsFor(client);
            const publish = { client, levels: topic, qos, retain: false, group: undefined };
            expect(mayPublish(groups, publish)).toBe(oneAfterAnother(rules, publish, decidesPublish));
            const levels = topic.map((text, at) => (wild.some((place) => place === at) ? '+' : text));
            const subscribe = { ...publish, levels: hasTail ? [...levels, '#'] : levels };
            const answer = oneAfterAnother(rules, subscribe, decidesSubscribe);
            expect(maySubscribe(groups, subscribe, true)).toBe(answer);
            expect(maySubscribe(groups, subscribe, false) ?? false).toBe(answer ?? false);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('about connecting, too', () => {
    const rules = rulesOf([
      ...Array.from({ length: 1000 }, (_, i) => ({ allow: 'connect', user: `user-${i}`, client: `gauge-${i}` })),
      { deny: 'connect', client: 'gauge-7*' },
      { allow: 'connect', client: '%u-*' },
    ]);
    const authorizer = new RulesAuthorizer(RuleSet.of(rules));
    const may = (userName: string | null, clientId: string) =>
      authorizer.mayConnect({ userName, clientId, remoteAddress: 'unix' });
    expect([may('user-5', 'gauge-5'), may('user-5', 'gauge-6'), may('user-70', 'gauge-70')]).toEqual([
      true,
      false,
      true,
    ]);
    expect([may('gauge-7', 'gauge-7-1'), may('ann', 'ann-1'), may(null, 'ann-1')]).toEqual([false, true, false]);
  });
});

/** Rules that count how often they are looked at. */
function counting(rules: readonly Rule[]): { rules: Rule[]; looks: () => number } {
  let looks = 0;
  const watched = rules.map((rule) =>
    Object.defineProperty({ ...rule }, 'publish', {
      get: () => {
        looks++;
        return rule.publish;
      },
    }),
  );
  for (const rule of watched)
    Object.defineProperty(rule, 'subscribe', {
      get: () => {
        looks++;
        return true;
      },
    });
  return { rules: watched, looks: () => looks };
}

const many = 100_000;

test('of 100,000 rules only those are looked at that are for the client and the topic', () => {
  const { rules, looks } = counting(
    rulesOf(
      Array.from({ length: many }, (_, i) =>
        [
          { allow: 'all', user: `user-${i}`, topics: [`devices/${i}/#`, `rooms/+/${i}`] },
          { deny: 'all', topics: `secret/${i}/#` },
          { allow: 'all', topics: `+/status/${i}` },
          { allow: 'all', user: 'user-*', topics: `halls/${i}/+` },
        ].at(i % 4),
      ),
    ),
  );
  const authorizer = new RulesAuthorizer(RuleSet.of(rules));
  const client = { clientId: 'c', userName: 'user-400', remoteAddress: '10.0.0.1:1' };
  const before = looks();
  expect(authorizer.authorize(client, 'publish', 'devices/400/state', 0, false)).toBe(true);
  expect(authorizer.authorize(client, 'publish', 'secret/401/state', 0, false)).toBe(false);
  expect(authorizer.authorize(client, 'publish', 'nothing/of/it', 0, false)).toBe(false);
  expect(authorizer.authorize(client, 'subscribe', 'rooms/hall/400', 1, false)).toBe(true);
  expect(authorizer.authorize(client, 'subscribe', 'halls/403/+', 1, false)).toBe(true);
  expect(authorizer.authorize(client, 'subscribe', '+/x', 1, false)).toBe(false);
  expect(looks() - before).toBeLessThan(100);
});

test('files of many rules are read, and taken over, in many turns of the event loop', async () => {
  const text = Array.from({ length: 5000 }, (_, i) => `- {allow: all, topics: a/${i}}\n`).join('');
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const list = await readRuleList({ name: 'rules.yaml', text });
  expect(turns).toBeGreaterThan(10);
  const before = turns;
  const set = await ruleSetInTurns(list);
  expect(turns - before).toBeGreaterThan(10);
  isOver = true;
  const client = { clientId: 'c', userName: 'u', remoteAddress: '10.0.0.1:1' };
  for (const whole of [set, ruleSetOf(list)]) {
    const authorizer = new RulesAuthorizer(whole);
    const may = (topic: string) => authorizer.authorize(client, 'publish', topic, 0, false);
    expect([may('a/0'), may('a/4999'), may('a/5000')]).toEqual([true, true, false]);
  }
});

test.each([
  ['a rule in the middle', 3000, '- {allow: all}', 'rules.yaml:3001:3: a rule without topics'],
  ['text that is no YAML', 3000, '- {allow: all', /^rules\.yaml:300\d:\d+: /],
  ['another document', 3000, '---', /^rules\.yaml:3\d{3}:\d+: /],
  ['something indented', 3000, '  - x', /^rules\.yaml:300\d:\d+: /],
])('mistakes of long files are found where they are: %s', async (_, at, wrong, message) => {
  const lines = Array.from({ length: 5000 }, (__, i) => `- {allow: all, topics: a/${i}}`);
  lines.splice(at, 0, wrong);
  await expect(readRuleList({ name: 'rules.yaml', text: lines.join('\n') })).rejects.toThrow(message);
});

test('more than 100,000 rules are refused, at the first that is too many', async () => {
  const text = '- {deny: all, topics: a}\n'.repeat(100_001);
  await expect(readRuleList({ name: 'rules.yaml', text })).rejects.toThrow(
    'rules.yaml:100001:3: more than 100000 rules',
  );
});
