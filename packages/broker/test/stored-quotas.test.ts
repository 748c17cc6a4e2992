/** Quotas of what the store keeps for clients: over one, the client hears so, and nobody else loses anything. */
import { describe, expect, test } from 'vitest';
import type { Authenticator } from '../src/ports/authenticator.ts';
import type { Authorizer } from '../src/ports/authorizer.ts';
import type { Limits } from '../src/ports/limits.ts';
import { ack, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const byUserName: Authenticator = {
  authenticate: ({ userName }) => ({ kind: 'accept', userName }),
  exchange: () => null,
};

async function worker(limits: Partial<Limits>): Promise<{ world: World; worker: Worker }> {
  return World.alone({ authenticator: byUserName, limits });
}

interface WillOptions {
  authorizer?: Authorizer;
  rules?: unknown[];
}

function retained(topic: string, payload: string, qos: 0 | 1 | 2, packetId = 0) {
  return publish(topic, payload, qos, packetId, { retain: true });
}

describe('retained messages', () => {
  test('over the quota of its user a PUBLISH is answered 0x97, with the limit; subscribers get it, and it is not retained', async () => {
    const { worker: broker } = await worker({ retainedMessagesPerUserMax: 2 });
    const watcher = await broker.connect('watcher');
    await watcher.subscribe('#', 0);
    const alice = await broker.connect('alice', { userName: 'alice' });
    await alice.send(retained('a', '1', 1, 1), retained('b', '1', 2, 2));
    await alice.send(ack('pubrel', 2));
    await alice.send(retained('c', '1', 1, 3), retained('d', '1', 2, 4));
    const answers = alice.received();
    expect(answers.map((answer) => [answer.type, 'reasonCode' in answer && answer.reasonCode])).toEqual([
      ['puback', 0],
      ['pubrec', 0],
      ['pubcomp', 0],
      ['puback', 0x97],
      ['pubrec', 0x97],
    ]);
    expect(answers[3]).toMatchObject({
      properties: { reasonString: expect.stringContaining('limits.retainedMessagesPerUserMax is 2') },
    });
    expect(watcher.said()).toEqual(['publish a 1 q0', 'publish b 1 q0', 'publish c 1 q0', 'publish d 1 q0']);
    expect(broker.broker.metrics.dropped['retained-quota']).toBe(2);
    expect(broker.log.filter((line) => line.includes('not retained'))).toEqual([expect.stringContaining('"alice"')]);
    // 0x97 has ended the handshake: the identifier is free for another message.
    await alice.send(retained('a', '2', 2, 4));
    await alice.send(ack('pubrel', 4));
    expect(alice.said()).toEqual(['pubrec #4', 'pubcomp #4']);
    // An empty one gives its place back.
    await alice.send(retained('a', '', 1, 5), retained('c', '2', 1, 6));
    expect(alice.said()).toEqual(['puback #5', 'puback #6']);
    // Others have quotas of their own.
    const bob = await broker.connect('bob', { userName: 'bob' });
    await bob.send(retained('e', '1', 1, 1));
    expect(bob.said()).toEqual(['puback #1']);
    await watcher.subscribe('+', 0);
    expect(watcher.said().filter((line) => line.endsWith('retain'))).toEqual([
      'publish b 1 q0 retain',
      'publish c 2 q0 retain',
      'publish e 1 q0 retain',
    ]);
  });

  test('the identifier of a refused QoS 2 message of a durable session is free in the store too', async () => {
    const { world, worker: broker } = await worker({ retainedMessagesPerUserMax: 1 });
    const watcher = await broker.connect('watcher', { expiry: 100 });
    await watcher.subscribe('#', 1);
    const alice = await broker.connect('alice', { expiry: 100, cleanStart: false });
    await alice.send(retained('a', '1', 1, 1), retained('b', '1', 2, 2));
    expect(alice.said()).toEqual(['puback #1', 'pubrec #2 0x97']);
    await alice.drop();
    const { session } = await world.store.sessions.claim(
      { clientId: 'alice', owner: 'x/0#1', cleanStart: false, sessionExpirySeconds: 100 },
      world.clock.now(),
    );
    expect(session?.inbound).toEqual([]);
  });

  test('one that has expired gives its place back', async () => {
    const { world, worker: broker } = await worker({ retainedMessagesPerUserMax: 1 });
    const alice = await broker.connect('alice', { userName: 'alice' });
    await alice.send(publish('a', '1', 1, 1, { retain: true, properties: { messageExpiryInterval: 1 } }));
    await world.clock.pass(7000);
    await alice.send(retained('b', '1', 1, 2));
    expect(alice.said()).toEqual(['puback #1', 'puback #2']);
  });

  test('an MQTT 3 client is disconnected without an acknowledgement; with QoS 0 it is counted alone', async () => {
    const { worker: broker } = await worker({ retainedMessagesMax: 0 });
    const watcher = await broker.connect('watcher');
    await watcher.subscribe('#', 0);
    const old = await broker.connect('old', { version: 4 });
    await old.send(retained('a', '1', 0));
    expect(old.isClosed).toBe(false);
    await old.send(retained('a', '2', 1, 1));
    expect([old.said(), old.isClosed]).toEqual([[], true]);
    expect(watcher.said()).toEqual(['publish a 1 q0', 'publish a 2 q0']);
    expect(broker.broker.metrics.dropped['retained-quota']).toBe(2);
  });
});

describe('retained wills', () => {
  const allowAll: Authorizer = { authorize: (): boolean => true };
  const will = { qos: 1, retain: true, payload: Buffer.from('gone'), properties: {} } as const;

  async function retainedTopics(world: World): Promise<string[]> {
    const { entries } = await world.store.retained.read('#', null, 100, world.clock.now());
    return entries.map(({ topic }) => topic);
  }

  test.each([
    ['without rules', {}],
    ['with rules', { authorizer: allowAll }],
    ['of a client with rules of its own', { authorizer: allowAll, rules: [] }],
  ])('count against the quota of their user, %s', async (_what, { authorizer, rules }: WillOptions) => {
    const authenticator: Authenticator = {
      authenticate: ({ userName }) => ({ kind: 'accept', userName, rules }),
      exchange: () => null,
    };
    const { world, workers } = await World.of(2, {
      authenticator,
      authorizer,
      limits: { retainedMessagesPerUserMax: 1 },
    });
    const clients = await Promise.all(
      ['alice', 'alice', 'bob'].map((userName, index) =>
        workers[0].connect(`c${index}`, { userName, will: { ...will, topic: `will/${index}` } }),
      ),
    );
    for (const client of clients) await client.drop();
    expect((await retainedTopics(world)).sort()).toEqual(['will/0', 'will/2']);
    expect(workers[0].broker.metrics.dropped['retained-quota']).toBe(1);
    // With a delay, another worker may publish it.
    const delayed = { ...will, topic: 'will/3', properties: { willDelayInterval: 5 } };
    const late = await workers[0].connect('late', { userName: 'bob', expiry: 100, will: delayed });
    await late.drop();
    await world.clock.pass(7000);
    expect((await retainedTopics(world)).sort()).toEqual(['will/0', 'will/2']);
  });
});

describe('delayed messages', () => {
  function later(payload: string, qos: 0 | 1 | 2, packetId = 0) {
    return publish('$delayed/5/t', payload, qos, packetId);
  }

  test('over the quota of its user a PUBLISH is answered 0x97, with the limit, until one was published', async () => {
    const { world, worker: broker } = await worker({ delayedMessagesPerUserMax: 2 });
    const watcher = await broker.connect('watcher');
    await watcher.subscribe('#', 0);
    const alice = await broker.connect('alice', { userName: 'alice' });
    await alice.send(later('1', 1, 1), later('2', 2, 2));
    await alice.send(later('3', 1, 3), later('4', 2, 4), later('5', 0));
    const answers = alice.received();
    expect(answers.map((answer) => 'reasonCode' in answer && answer.reasonCode)).toEqual([0, 0, 0x97, 0x97]);
    expect(answers[2]).toMatchObject({
      properties: { reasonString: expect.stringContaining('limits.delayedMessagesPerUserMax is 2') },
    });
    expect(broker.broker.metrics.dropped['delayed-quota']).toBe(3);
    const bob = await broker.connect('bob', { userName: 'bob' });
    await bob.send(later('6', 1, 1));
    expect(bob.said()).toEqual(['puback #1']);
    const old = await broker.connect('old', { version: 4, userName: 'alice' });
    await old.send(later('7', 1, 1));
    expect([old.said(), old.isClosed]).toEqual([[], true]);
    await world.clock.pass(6000);
    expect(watcher.said().sort()).toEqual(['publish t 1 q0', 'publish t 2 q0', 'publish t 6 q0']);
    await alice.send(later('8', 2, 4));
    expect(alice.said()).toEqual(['pubrec #4']);
  });

  test('a retained one counts against the quota of its user when it is due', async () => {
    const { world, worker: broker } = await worker({ retainedMessagesPerUserMax: 1 });
    const alice = await broker.connect('alice', { userName: 'alice' });
    await alice.send(publish('a', '1', 1, 1, { retain: true }));
    await alice.send(publish('$delayed/1/b', '1', 1, 2, { retain: true }));
    const bob = await broker.connect('bob', { userName: 'bob' });
    await bob.send(publish('$delayed/1/c', '1', 1, 2, { retain: true }));
    await world.clock.pass(2000);
    const page = await world.store.retained.read('#', null, 10, world.clock.now());
    expect(page.entries.map(({ topic }) => topic)).toEqual(['a', 'c']);
    expect(broker.broker.metrics.dropped['retained-quota']).toBe(1);
  });
});

describe('sessions', () => {
  test('over the quota of its user a CONNECT for one more is refused with 0x97, and one for a stored session is not', async () => {
    const { world, worker: broker } = await worker({ sessionsPerUserMax: 1 });
    const options = { userName: 'alice', expiry: 100, cleanStart: false };
    const first = await broker.connect('first', options);
    const refused = await broker.dial('second', options);
    expect(refused.one('connack')).toMatchObject({
      reasonCode: 0x97,
      properties: { reasonString: expect.stringContaining('limits.sessionsPerUserMax is 1') },
    });
    expect(refused.isClosed).toBe(true);
    const old = await broker.dial('old', { version: 4, userName: 'alice', cleanStart: false });
    expect(old.said()).toEqual(['connack 0x03']);
    expect(await world.store.sessions.count()).toBe(1);
    // Clean sessions are not stored, other users have quotas of their own, and a session that is there goes on.
    await broker.connect('second', { userName: 'alice' });
    await broker.connect('bob', { ...options, userName: 'bob' });
    await first.drop();
    await broker.connect('first', options).then((again) => again.drop());
    await world.clock.pass(101_000);
    await broker.connect('third', options);
  });

  test('over the quota of all nobody gets one more', async () => {
    const { worker: broker } = await worker({ sessionsStoredMax: 1 });
    await broker.connect('first', { userName: 'alice', expiry: 100 });
    const refused = await broker.dial('second', { userName: 'bob', expiry: 100 });
    expect(refused.one('connack')).toMatchObject({
      reasonCode: 0x97,
      properties: { reasonString: expect.stringContaining('limits.sessionsStoredMax is 1') },
    });
  });
});
