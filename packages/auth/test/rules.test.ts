import { describe, expect, test } from 'vitest';
import { addressOf } from '../src/rule.ts';
import { RuleSet } from '../src/rules/rule-set.ts';
import { RulesAuthorizer } from '../src/rules-authorizer.ts';
import { readRulesFile } from '../src/rules-file.ts';

interface Asking {
  clientId?: string;
  userName?: string | null;
  remoteAddress?: string;
  rules?: unknown;
}

const parse = (text: string) => [...readRulesFile({ name: 'rules.yaml', text })].flatMap(({ rules }) => rules);
const setOf = (text: string) => RuleSet.of(parse(text));

/** Permissions of a client under the rules of a text. */
function under(text: string, asking: Asking = {}) {
  const authorizer = new RulesAuthorizer(setOf(text));
  const client = { clientId: 'c', userName: 'u' as string | null, remoteAddress: '10.1.2.3:5000', ...asking };
  return {
    publish: (topic: string, qos: 0 | 1 | 2 = 0, retain = false) =>
      authorizer.authorize(client, 'publish', topic, qos, retain),
    subscribe: (filter: string, qos: 0 | 1 | 2 = 0) => authorizer.authorize(client, 'subscribe', filter, qos, false),
    authorizer,
  };
}

describe('rules', () => {
  test('the first that matches wins, and what none matches is denied', () => {
    const { publish } = under('- {deny: all, topics: a/b}\n- {allow: all, topics: a/#}\n- {deny: all, topics: a/c}\n');
    expect([publish('a/b'), publish('a/c'), publish('a'), publish('b')]).toEqual([false, true, true, false]);
  });

  test('an empty file allows nothing', () => {
    expect(under('').publish('a')).toBe(false);
    expect(under('# nothing\n').subscribe('a')).toBe(false);
  });

  test('by action, QoS and RETAIN', () => {
    const { publish, subscribe } = under(
      '- {allow: publish, topics: a, qos: [0, 1], retain: false}\n- {allow: subscribe, topics: b, qos: 0}\n',
    );
    expect([publish('a', 0), publish('a', 1), publish('a', 2), publish('a', 0, true)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect([subscribe('a'), subscribe('b', 0), subscribe('b', 1), publish('b')]).toEqual([false, true, false, false]);
    // Again, from what is remembered.
    expect([publish('a', 0), publish('a', 2), publish('a', 0, true)]).toEqual([true, false, false]);
  });

  test('by user, client and address', () => {
    const rules = "- {allow: all, user: [ann, 'op-*'], client: '*-x', address: [10.0.0.0/8, '::1'], topics: '#'}\n";
    const who = (asking: Asking) => under(rules, { clientId: 'a-x', userName: 'ann', ...asking }).publish('t');
    expect(who({})).toBe(true);
    expect(who({ userName: 'op-1' })).toBe(true);
    expect(who({ userName: 'anne' })).toBe(false);
    expect(who({ userName: null })).toBe(false);
    expect(who({ clientId: 'a-xx' })).toBe(false);
    expect(who({ remoteAddress: '11.0.0.1:1' })).toBe(false);
    expect(who({ remoteAddress: '[::1]:1' })).toBe(true);
    expect(who({ remoteAddress: '[::ffff:10.0.0.1]:1' })).toBe(true);
    expect(who({ remoteAddress: 'unix' })).toBe(false);
  });

  test('what an anonymous client may do is stated', () => {
    const rules =
      '- {deny: all, topics: b}\n- {allow: all, topics: a}\n- {allow: all, anonymous: true, topics: [b, c]}\n';
    const { publish } = under(rules, { userName: null });
    expect([publish('a'), publish('b'), publish('c')]).toEqual([false, false, true]);
    const named = under(rules);
    expect([named.publish('a'), named.publish('c')]).toEqual([true, true]);
  });

  test('a subscription must lie within what is allowed, and apart from what is denied before', () => {
    const { subscribe } = under('- {deny: all, topics: secret/#}\n- {allow: all, topics: "#"}\n');
    for (const around of ['#', '+/#', 'secret/#', 'secret', '+', 'secret/+', '+/x', 'secret/a/b'])
      expect(subscribe(around), around).toBe(false);
    for (const apart of ['a', 'a/#', 'public/+/x', '/secret']) expect(subscribe(apart), apart).toBe(true);
    expect(subscribe('$SYS/#')).toBe(false);
    const narrow = under('- {allow: all, topics: a/+}\n');
    for (const wide of ['#', 'a/#', '+/+', 'a/b/c', 'a']) expect(narrow.subscribe(wide), wide).toBe(false);
    for (const within of ['a/b', 'a/+']) expect(narrow.subscribe(within), within).toBe(true);
  });

  test('%c and %u are the client and its name, and nothing else', () => {
    const rules = '- {allow: all, topics: [c/%c/#, u/%u]}\n';
    expect(under(rules).publish('c/c/x')).toBe(true);
    expect(under(rules).publish('u/u')).toBe(true);
    expect(under(rules).publish('u/c')).toBe(false);
    for (const evil of ['+', '#', 'a/b']) {
      const { publish, subscribe } = under(rules, { clientId: evil, userName: evil });
      expect(subscribe(`c/${evil}/#`)).toBe(false);
      expect(subscribe('u/+')).toBe(false);
      expect(publish('c/a/b/x')).toBe(false);
      expect(publish('c/a/x')).toBe(false);
    }
  });

  test('new rules count at once', () => {
    const { publish, authorizer } = under('- {allow: all, topics: a}\n');
    expect([publish('a'), publish('b')]).toEqual([true, false]);
    authorizer.replace(setOf('- {allow: all, topics: b}\n'));
    expect([publish('a'), publish('b')]).toEqual([false, true]);
  });

  test('more topics than are remembered', () => {
    const { publish } = under('- {allow: all, topics: a/+}\n');
    for (let i = 0; i < 1000; i++) expect(publish(`a/${i}`) && !publish(`b/${i}`)).toBe(true);
  });

  test('rules of a token come before those of the file; without a file only it is restricted', () => {
    const rules = parse('- {allow: publish, topics: t/%c}\n');
    const file = under('- {allow: all, topics: f}\n- {deny: all, topics: t/#}\n', { rules });
    expect([file.publish('t/c'), file.publish('t/d'), file.publish('f')]).toEqual([true, false, true]);
    const alone = new RulesAuthorizer(null);
    const client = { clientId: 'c', userName: 'u', remoteAddress: 'unix' };
    expect(alone.authorize({ ...client, rules }, 'publish', 'x', 0, false)).toBe(false);
    expect(alone.authorize({ ...client, rules }, 'publish', 't/c', 0, false)).toBe(true);
    expect(alone.authorize(client, 'publish', 'x', 0, false)).toBe(true);
  });
});

const broken: [text: string, message: string][] = [
  ['- {allow: all}\n', 'rules.yaml:1:3: a rule without topics'],
  ['- allow: all\n  topics: [a, b+]\n', 'rules.yaml:2:15: + and # stand alone in a level, # in the last'],
  ['- allow: everything\n  topics: a\n', 'rules.yaml:1:10: allow: one of publish, subscribe, all'],
  ['- topics: a\n', 'rules.yaml:1:3: a rule either allows or denies something'],
  ['- allow: all\n  deny: all\n  topics: a\n', 'rules.yaml:1:3: a rule either allows or denies something'],
  ['- allow: all\n  topic: a\n', 'rules.yaml:2:3: unknown key topic; there are allow'],
  ['- allow: all\n  topics: a\n  address: 10.0.0.0/33\n', 'rules.yaml:3:12: "10.0.0.0/33" is not an address'],
  ['- allow: all\n  topics: a\n  qos: 3\n', 'rules.yaml:3:8: qos: 0, 1, 2'],
  ['- allow: all\n  topics: a\n  user: []\n', 'rules.yaml:3:9: user: nothing is named'],
  ['- allow: all\n  topics: a\n  user: 7\n', 'rules.yaml:3:9: user: a text'],
  ['- allow: subscribe\n  topics: a\n  retain: true\n', 'rules.yaml:3:11: retain is about publishing alone'],
  ['- allow: all\n  topics: a\n  anonymous: yes please\n', 'rules.yaml:3:14: anonymous: true or false'],
  ['rules: []\n', 'rules.yaml:1:1: rules are a list'],
  ['- allow: all\n  topics: [a\n', 'rules.yaml:3:1: '],
  ['- 7\n', 'rules.yaml:1:3: a rule is a map of keys'],
];

test.each(broken)('refused: %j', (text, message) => {
  expect(() => parse(text)).toThrow(message);
});

test('addresses without their ports', () => {
  expect(['10.0.0.1:5', '[::1]:5', '10.0.0.1', '[::ffff:1.2.3.4]:5', 'unix'].map(addressOf)).toEqual([
    '10.0.0.1',
    '::1',
    '10.0.0.1',
    '1.2.3.4',
    'unix',
  ]);
});

test.each(['allow', 'deny'])('answers of one client are kept within 16 KiB of topics: %s', (word) => {
  const authorizer = new RulesAuthorizer(setOf(`- {${word}: all, topics: '#'}`));
  const client = { clientId: 'c', userName: 'u', remoteAddress: '10.1.2.3:5000', notes: undefined as unknown };
  const isAllowed = word === 'allow';
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 250; i++)
      expect(authorizer.authorize(client, 'publish', `${i}/`.padEnd(60_000, 'x'), 0, false)).toBe(isAllowed);
    for (let i = 0; i < 250; i++)
      expect(authorizer.authorize(client, 'publish', `${i}/`.padEnd(1000, 'x'), 0, false)).toBe(isAllowed);
    const { answers } = client.notes as { answers: Map<string, number> };
    expect([...answers.keys()].join('').length).toBeLessThanOrEqual(16 * 1024);
    expect(answers.size).toBeGreaterThan(0);
  }
});
