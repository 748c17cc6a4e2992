import type { ClientIdentity } from '@dunlin/broker';
import { describe, expect, test } from 'vitest';
import { RuleSet } from '../src/rules/rule-set.ts';
import { RulesAuthorizer } from '../src/rules-authorizer.ts';
import { readRulesFile } from '../src/rules-file.ts';

function authorizerOf(text: string): RulesAuthorizer {
  return new RulesAuthorizer(
    RuleSet.of([...readRulesFile({ name: 'rules.yaml', text })].flatMap(({ rules }) => rules)),
  );
}

function client(userName: string | null, clientId: string, remoteAddress = '192.0.2.7:1883'): ClientIdentity {
  return { userName, clientId, remoteAddress };
}

describe('rules for connect', () => {
  test('let everybody connect where no rule names it', () => {
    const rules = authorizerOf('- { allow: all, user: ann, topics: a }');
    expect(rules.mayConnect(client(null, 'c'))).toBe(true);
  });

  test('the first that matches decides, and whom none matches is refused', () => {
    const rules = authorizerOf(`
- { deny: connect, address: 10.0.0.0/8 }
- { allow: connect, user: operator }
- { allow: connect, user: 'gauge*', client: ['gauge-*', 'probe-*'] }
- { allow: connect, anonymous: true, client: 'public-*' }
- { allow: all, user: '*', topics: '#' }
`);
    expect(rules.mayConnect(client('operator', 'anything'))).toBe(true);
    expect(rules.mayConnect(client('operator', 'anything', '10.1.2.3:5'))).toBe(false);
    expect(rules.mayConnect(client('gauge1', 'gauge-1'))).toBe(true);
    expect(rules.mayConnect(client('gauge1', 'operator-1'))).toBe(false);
    expect(rules.mayConnect(client('ann', 'gauge-1'))).toBe(false);
    expect(rules.mayConnect(client(null, 'public-1'))).toBe(true);
    expect(rules.mayConnect(client(null, 'gauge-1'))).toBe(false);
  });

  test('by address alone ask for the address as it is, with IPv6 and mapped ones, and never for one that is not known', () => {
    const rules = authorizerOf(`
- { deny: connect, address: [203.0.113.0/24, '2001:db8:7::/64'] }
- { allow: connect, address: [203.0.0.0/16, '2001:db8::/32'] }
`);
    const may = (remoteAddress: string, userName: string | null = 'ann') =>
      rules.mayConnect(client(userName, 'c', remoteAddress));
    expect(
      ['203.0.112.1:5', '203.0.112.1', '[2001:db8:8::1]:5', '[::ffff:203.0.112.1]:5'].map((at) => may(at)),
    ).toEqual([true, true, true, true]);
    expect(
      ['203.0.113.1:5', '203.0.113.1', '[2001:db8:7::1]:5', '[::ffff:203.0.113.1]:5'].map((at) => may(at)),
    ).toEqual([false, false, false, false]);
    const anywhere = authorizerOf("- { allow: connect, address: [0.0.0.0/0, '::/0'] }");
    const known = ['', 'unix', '203.0.113.1:5'].map((at) => anywhere.mayConnect(client('ann', 'c', at)));
    expect(known).toEqual([false, false, true]);
    // Neither is for an address outside, nor for a Unix socket, which has none.
    expect(['198.51.100.1:5', '[2001:db9::1]:5', '', 'unix'].map((at) => may(at))).toEqual([
      false,
      false,
      false,
      false,
    ]);
    // Rules that allow are for clients with a name, unless they say anonymous.
    expect([may('203.0.112.1:5', null), may('203.0.113.1:5', null)]).toEqual([false, false]);
  });

  test('that deny an address deny it to clients without a name as well, whether they say anonymous or not', () => {
    const rules = authorizerOf(`
- { deny: connect, address: 203.0.113.0/24 }
- { allow: connect, anonymous: true }
`);
    const may = (userName: string | null, at: string) => rules.mayConnect(client(userName, 'c', at));
    expect([may('ann', '203.0.113.7:5'), may(null, '203.0.113.7:5')]).toEqual([false, false]);
    expect([may('ann', '203.0.114.7:5'), may(null, '203.0.114.7:5')]).toEqual([true, true]);
  });

  test('tie identifiers to user names with %u', () => {
    const rules = authorizerOf("- { allow: connect, client: ['%u', '%u-*'] }");
    expect(rules.mayConnect(client('ann', 'ann'))).toBe(true);
    expect(rules.mayConnect(client('ann', 'ann-phone'))).toBe(true);
    expect(rules.mayConnect(client('ann', 'bob-phone'))).toBe(false);
    expect(rules.mayConnect(client('*', 'bob-phone'))).toBe(false);
    expect(rules.mayConnect(client('*', '*-phone'))).toBe(true);
    expect(rules.mayConnect(client(null, '%u'))).toBe(false);
  });

  test('%u in client: is for other rules as well', () => {
    const rules = authorizerOf("- { allow: publish, client: '%u-*', topics: 'a' }");
    expect(rules.authorize(client('ann', 'ann-1'), 'publish', 'a', 0, false)).toBe(true);
    expect(rules.authorize(client('ann', 'bob-1'), 'publish', 'a', 0, false)).toBe(false);
  });

  test('say nothing of topics', () => {
    const rules = authorizerOf('- { allow: connect }\n- { allow: publish, topics: a }');
    expect(rules.authorize(client('ann', 'c'), 'publish', 'b', 0, false)).toBe(false);
    expect(rules.authorize(client('ann', 'c'), 'subscribe', 'a', 0, false)).toBe(false);
  });

  test.each([
    [
      '- { allow: connect, topics: a }',
      'rules.yaml:1:19: topics says nothing of connect; there are user, client, address, anonymous',
    ],
    [
      '- { allow: connect, qos: 1 }',
      'rules.yaml:1:19: qos says nothing of connect; there are user, client, address, anonymous',
    ],
    [
      '- { deny: connect, user: ann }',
      'rules.yaml:1:3: rules deny connect and none allows it, so nobody could connect: end with "allow: connect"',
    ],
    ['- { allow: publish, group: g, topics: a }', 'rules.yaml:1:21: group is about subscribing alone'],
  ])('are refused where they make no sense: %s', (text, message) => {
    expect(() => authorizerOf(text)).toThrow(message.replace(/^rules.yaml:\d+:\d+: /, ''));
  });
});

describe('rules for shared groups', () => {
  const may = (rules: RulesAuthorizer, userName: string, filter: string, group?: string): boolean =>
    rules.authorize(client(userName, 'c'), 'subscribe', filter, 1, false, group);

  test('apply to all groups and to none, where they name none', () => {
    const rules = authorizerOf('- { allow: subscribe, user: ann, topics: jobs/# }');
    expect([may(rules, 'ann', 'jobs/#'), may(rules, 'ann', 'jobs/#', 'workers')]).toEqual([true, true]);
  });

  test('who may have a filter may not join every group on it', () => {
    const rules = authorizerOf(`
- { allow: subscribe, user: 'worker*', group: workers, topics: jobs/# }
- { deny: subscribe, group: '*', topics: jobs/# }
- { allow: subscribe, topics: jobs/# }
`);
    expect(may(rules, 'worker1', 'jobs/a', 'workers')).toBe(true);
    expect(may(rules, 'worker1', 'jobs/a', 'others')).toBe(false);
    expect(may(rules, 'ann', 'jobs/a', 'workers')).toBe(false);
    expect(may(rules, 'ann', 'jobs/a')).toBe(true);
    expect(may(rules, 'worker1', 'jobs/a')).toBe(true);
  });

  test('a rule for a group is no rule for the filter itself', () => {
    const rules = authorizerOf('- { allow: all, group: workers, topics: jobs/# }');
    expect([may(rules, 'ann', 'jobs/a', 'workers'), may(rules, 'ann', 'jobs/a')]).toEqual([true, false]);
    expect(rules.authorize(client('ann', 'c'), 'publish', 'jobs/a', 0, false)).toBe(false);
  });
});
