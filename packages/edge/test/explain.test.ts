/** Would this client get a message on this topic now, and if not, why? Each situation is brought about by real clients. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversation, connectPacket, type Introduction, publishPacket, subscribePacket } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from './support/api-client.ts';
import { SmallNode } from './support/small-node.ts';

const secret = 'a-key-that-a-secret-of-kubernetes-holds';
const rulesBefore =
  "- { deny: all, client: [curious, denied], topics: ['secret/#'] }\n- { allow: all, anonymous: true, topics: ['#', '$own/#'] }\n";
let directory: string;
let node: SmallNode;
let base: string;
const open: Conversation[] = [];
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-explain-'));
  writeFileSync(join(directory, 'key'), secret);
  writeFileSync(join(directory, 'rules.yaml'), rulesBefore);
  node = await SmallNode.start({
    'admin.keyFile': join(directory, 'key'),
    'authorization.rulesFile': join(directory, 'rules.yaml'),
    'limits.queuedMessagesMax': '2',
    'limits.logMessagesMax': '3',
  });
  base = node.node.adminUrl as string;
});
afterAll(async () => {
  for (const client of open) await client.drop();
  await node?.stop();
  rmSync(directory, { recursive: true });
});

async function client(clientId: string, more: Introduction = {}): Promise<Conversation> {
  const conversation = await Conversation.open(node.url('tcp'));
  open.push(conversation);
  await conversation.connect({ clientId, ...more });
  return conversation;
}

interface Answer {
  verdict: string;
  summary: string;
  steps: { check: string; outcome: string; text: string }[];
  node: string | null;
}

async function explain(receiver: string, topic: string, more: Record<string, unknown> = {}): Promise<Answer> {
  const { status, body } = await ask(base, '/api/v1/explain', {
    method: 'POST',
    key: secret,
    body: { client: receiver, topic, ...more },
  });
  expect(body).toMatchObject({ verdict: expect.any(String) });
  expect(status).toBe(200);
  return body;
}

/** The step that an answer has for a check. */
function step({ steps }: Answer, check: string) {
  const found = steps.find((one) => one.check === check);
  expect(found, JSON.stringify(steps)).toBeDefined();
  return found;
}

const durable = { sessionExpirySeconds: 3600 };

test('a subscriber gets it', async () => {
  const gauge = await client('plain');
  await gauge.subscribe('plain/#', 1);
  const answer = await explain('plain', 'plain/1');
  expect(answer).toMatchObject({ verdict: 'yes', summary: 'Yes: the client gets it now.', node: 'test' });
  expect(step(answer, 'subscription')?.text).toBe('Its subscription "plain/#" (QoS 1) matches.');
});

test('a client without a subscription', async () => {
  await client('idle');
  const answer = await explain('idle', 'plain/1');
  expect(answer).toMatchObject({ verdict: 'no' });
  expect(answer.summary).toBe('No: the client does not get it. It has no subscription.');
});

test('subscriptions to something else', async () => {
  const other = await client('other');
  await other.subscribe('other/+', 0);
  const answer = await explain('other', 'other/1/2');
  expect(answer.summary).toContain('None of its 1 subscription matches "other/1/2".');
});

test('a topic that begins with $ is hidden from leading wildcards', async () => {
  const all = await client('all');
  await all.subscribe('#', 0);
  const answer = await explain('all', '$own/1');
  expect(answer.verdict).toBe('no');
  expect(step(answer, 'subscription')?.text).toBe(
    'Filters that begin with + or # do not match topics that begin with $.',
  );
});

test('No Local keeps its own messages from the publisher, and nobody else from them', async () => {
  const echo = await client('echo');
  await echo.subscribe([{ filter: 'echo', qos: 0, noLocal: true }]);
  await client('echo-other');
  expect(await explain('echo', 'echo', { publisher: 'echo' })).toMatchObject({
    verdict: 'no',
    summary: 'No: the client does not get it. The client is the publisher, and subscribed with No Local.',
  });
  expect(await explain('echo', 'echo', { publisher: 'echo-other' })).toMatchObject({ verdict: 'yes' });
});

test('a publisher that the rules do not allow to publish there', async () => {
  const allowed = await client('allowed');
  await allowed.subscribe('allowed/#', 0);
  await client('denied');
  const answer = await explain('allowed', 'secret/1', { publisher: 'denied' });
  expect(answer.summary).toContain('The rules do not allow "denied" to publish to "secret/1".');
});

test('a receiver that the rules do not allow to subscribe', async () => {
  const curious = await client('curious');
  curious.send(subscribePacket([{ filter: 'secret/#', qos: 0 }]));
  expect((await curious.answer('suback')).reasonCodes).toEqual([0x87]);
  const answer = await explain('curious', 'secret/1');
  expect(answer.verdict).toBe('no');
  expect(step(answer, 'subscribe-rights')?.text).toContain('The rules would not allow it to subscribe to "secret/1"');
});

test('a subscription that new rules have suspended', async () => {
  const late = await client('late');
  await late.subscribe('late/#', 0);
  writeFileSync(join(directory, 'rules.yaml'), `- { deny: all, client: late, topics: ['late/#'] }\n${rulesBefore}`);
  // The node reads the file again, since it has changed.
  await expect.poll(async () => (await explain('late', 'late/1')).verdict, { timeout: 15_000 }).toBe('no');
  expect((await explain('late', 'late/1')).summary).toContain('"late/#" now: it is suspended');
  writeFileSync(join(directory, 'rules.yaml'), rulesBefore);
  await expect.poll(async () => (await explain('late', 'late/1')).verdict, { timeout: 15_000 }).toBe('yes');
});

test('no client may publish to topics of the broker', async () => {
  await client('eager');
  const answer = await explain('plain', '$SYS/broker/uptime', { publisher: 'eager' });
  expect(answer.summary).toContain('No client may publish to "$SYS/broker/uptime".');
});

test('a publisher whose connection ended over an unknown topic alias', async () => {
  const alias = await client('alias');
  alias.send(publishPacket({ topic: '', properties: { topicAlias: 7 } }));
  await alias.answer('disconnect');
  const answer = await explain('plain', 'plain/1', { publisher: 'alias' });
  expect(answer.verdict).toBe('no');
  expect(step(answer, 'publisher')?.text).toMatch(
    /^Publisher "alias" is not connected\. .*: protocol-error, reason code 0x(82|94)\.$/,
  );
});

test('a PUBLISH that is larger than the broker takes', async () => {
  await client('large');
  const answer = await explain('plain', 'plain/1', { publisher: 'large', payloadBytes: 2_000_000 });
  expect(answer.summary).toMatch(/The PUBLISH has 20000\d\d bytes, and limits\.maximumPacketSizeBytes allows 1048576/);
});

test('a packet that is larger than the client takes, by a byte', async () => {
  const small = await Conversation.open(node.url('tcp'));
  open.push(small);
  small.send(connectPacket({ clientId: 'small', properties: { maximumPacketSize: 100 } }));
  await small.answer('connack');
  await small.subscribe([{ filter: 'small', qos: 0 }]);
  const fits = 100 - 2 - 2 - 'small'.length - 1;
  expect(await explain('small', 'small', { payloadBytes: fits })).toMatchObject({ verdict: 'yes' });
  expect((await explain('small', 'small', { payloadBytes: fits + 1 })).summary).toContain(
    'The packet has 101 bytes, and the client takes at most 100 (Maximum Packet Size of its CONNECT).',
  );
  // As it is: the smaller one arrives, and the larger one does not.
  const sender = await client('small-sender');
  sender.sendPublish({ topic: 'small', payload: Buffer.alloc(fits + 1) });
  sender.sendPublish({ topic: 'small', payload: Buffer.alloc(fits) });
  expect((await small.answer('publish')).payload.length).toBe(fits);
});

test('a full window, and then a full queue', async () => {
  const slow = await client('slow', { receiveMaximum: 1 });
  await slow.subscribe('slow', 1);
  const sender = await client('slow-sender');
  const publish = () => sender.publish({ topic: 'slow', qos: 1 });
  await publish();
  const waits = await explain('slow', 'slow', { qos: 1 });
  expect(waits.verdict).toBe('later');
  expect(waits.summary).toContain('Its window is full: 1 of 1 messages are in flight. 0 of 2 messages wait for it');
  expect(await explain('slow', 'slow', { qos: 0 })).toMatchObject({ verdict: 'yes' });
  await publish();
  await publish();
  const full = await explain('slow', 'slow', { qos: 1 });
  expect(full.verdict).toBe('no');
  expect(full.summary).toContain('Its queue is full as well: 2 of 2 messages wait for it');
  expect(full.summary).toContain('The message is dropped (limits.queuePolicy: drop-newest).');
});

test('a durable session whose window is full gets it later, from its log', async () => {
  const reader = await client('reader', { ...durable, receiveMaximum: 1 });
  await reader.subscribe('reader', 1);
  expect(await explain('reader', 'reader', { qos: 1 })).toMatchObject({ verdict: 'yes' });
  const sender = await client('reader-sender');
  await sender.publish({ topic: 'reader', qos: 1 });
  await reader.answer('publish');
  const answer = await explain('reader', 'reader', { qos: 1 });
  expect(answer.verdict).toBe('later');
  expect(answer.summary).toContain(
    '1 of 1 messages are in flight, 1 message of the log of "reader" are not acknowledged',
  );
});

test('the only member of a shared group, one of two, and the next of them', async () => {
  const first = await client('member-1');
  await first.subscribe('$share/crew/shared', 0);
  expect(await explain('member-1', 'shared')).toMatchObject({ verdict: 'yes' });
  const second = await client('member-2');
  await second.subscribe('$share/crew/shared', 0);
  const next = (await explain('member-1', 'shared')).summary;
  expect(next).toMatch(/It is one of 2 connected members of "\$share\/crew\/shared" \(2 at test\/0\)/);
  const chosen = /goes to (it|"member-2")\.$/.exec(next)?.[1];
  const sender = await client('shared-sender');
  sender.sendPublish({ topic: 'shared', payload: 'x' });
  await (chosen === 'it' ? first : second).answer('publish');
  // Nobody took a turn by asking: now it is the other's.
  expect((await explain('member-1', 'shared')).summary).toContain(
    chosen === 'it' ? 'goes to "member-2".' : 'goes to it.',
  );
});

test('a member of QoS 0 gets no message of the log of its group', async () => {
  const keeper = await client('log-member', durable);
  await keeper.subscribe('$share/logged/grouped', 1);
  const quick = await client('quick-member');
  await quick.subscribe('$share/logged/grouped', 0);
  const answer = await explain('quick-member', 'grouped', { qos: 1 });
  expect(answer.summary).toContain('go to members that subscribed with QoS 1 or 2.');
  expect(await explain('log-member', 'grouped', { qos: 1 })).toMatchObject({ verdict: 'yes' });
});

test('RETAIN is cleared unless the subscription says otherwise', async () => {
  const board = await client('board');
  await board.subscribe('board', 0);
  expect(step(await explain('board', 'board', { retain: true }), 'retain')?.text).toContain('RETAIN is cleared');
});

test('a delayed publish, and a will of the publisher that is delayed', async () => {
  const timer = await client('timer');
  await timer.subscribe('timer', 0);
  const answer = await explain('timer', '$delayed/60/timer');
  expect(answer.verdict).toBe('yes');
  expect(step(answer, 'delayed')?.text).toBe('It is published 60 s after it was sent.');
  const will = {
    topic: 'timer',
    payload: Buffer.from('x'),
    qos: 0,
    retain: false,
    properties: { willDelayInterval: 30 },
  } as const;
  await client('mortal', { ...durable, will });
  expect(step(await explain('timer', 'timer', { publisher: 'mortal' }), 'will')?.text).toBe(
    'Publisher "mortal" has a will on this topic: it is published 30 s after its connection is lost, unless it is back by then.',
  );
});

test('a client that nobody has seen, and one that has left, with the reason', async () => {
  const never = await explain('never', 'plain/1');
  expect(never).toMatchObject({ verdict: 'no', node: null });
  const gone = await client('gone');
  await gone.leave();
  const answer = await explain('gone', 'plain/1');
  expect(step(answer, 'connected')?.text).toMatch(
    /^Client "gone" is not connected\. Its last connection, to node test from 127\.0\.0\.1:\d+, ended at .*: \w+/,
  );
});

describe('a client that is away', () => {
  async function leftWith(clientId: string, filter: string, qos: 0 | 1): Promise<void> {
    const sleeper = await client(clientId, durable);
    await sleeper.subscribe(filter, qos);
    await sleeper.leave();
  }

  test('with a stored session gets QoS 1 later, and QoS 0 never', async () => {
    await leftWith('sleeper', 'sleeper/#', 1);
    const answer = await explain('sleeper', 'sleeper/1', { qos: 1 });
    expect(answer.verdict).toBe('later');
    expect(answer.summary).toContain(
      'The message waits in the log of "sleeper/#" until the client is back, behind 0 messages',
    );
    expect(step(answer, 'session')?.text).toContain('(Session Expiry Interval 3600 s)');
    expect((await explain('sleeper', 'sleeper/1')).summary).toContain('The message has QoS 0');
    expect((await explain('sleeper', 'elsewhere', { qos: 1 })).summary).toContain('None of the 1 subscription');
  });

  test('with a subscription of QoS 0 gets nothing', async () => {
    await leftWith('sleeper-0', 'sleeper-0', 0);
    expect((await explain('sleeper-0', 'sleeper-0', { qos: 1 })).summary).toContain('The subscription has QoS 0');
  });

  test('has lost what its log had no room for', async () => {
    await leftWith('sleeper-full', 'sleeper-full', 1);
    const sender = await client('sleeper-sender');
    for (let at = 0; at < 5; at++) await sender.publish({ topic: 'sleeper-full', qos: 1 });
    await expect
      .poll(async () => JSON.stringify(await explain('sleeper-full', 'sleeper-full', { qos: 1 })), { timeout: 30_000 })
      .toContain('2 messages of the log of \\"sleeper-full\\" were dropped before it acknowledged them');
  });

  test('whose session was ended', async () => {
    await leftWith('sleeper-ended', 'sleeper-ended', 1);
    await ask(base, '/api/v1/sessions/sleeper-ended', { method: 'DELETE', key: secret });
    expect((await explain('sleeper-ended', 'sleeper-ended', { qos: 1 })).summary).toContain(
      'No session is stored for it',
    );
  });

  test('whose session went with its connection; a retained message is there for whoever subscribes', async () => {
    const guest = await client('guest');
    await guest.publish({ topic: 'guest', payload: 'x', qos: 1, retain: true });
    await guest.subscribe('guest', 1);
    await guest.answer('publish');
    await guest.leave();
    const answer = await explain('guest', 'guest', { qos: 1 });
    expect(answer.summary).toContain('No session is stored for it');
    expect(step(answer, 'retained')?.text).toContain('A retained message is stored for "guest"');
  });

  test('that is banned', async () => {
    const banned = await client('banned', durable);
    await banned.subscribe('banned', 1);
    const body = { clientId: 'banned', reason: 'too loud' };
    expect(await ask(base, '/api/v1/bans', { method: 'POST', key: secret, body })).toMatchObject({ status: 200 });
    await banned.answer('disconnect');
    await banned.expectClosed();
    const answer = await explain('banned', 'banned', { qos: 1 });
    expect(step(answer, 'banned')?.text).toContain('It is banned: too loud (client identifier "banned"');
  });
});

test('what is no topic is refused, with what was given', async () => {
  const body = { client: 'plain', topic: 'plain/+' };
  const { status, body: problem } = await ask(base, '/api/v1/explain', { method: 'POST', key: secret, body });
  expect(status).toBe(400);
  expect(problem.detail).toContain('topic: given "plain/+", allowed: a topic name');
});
