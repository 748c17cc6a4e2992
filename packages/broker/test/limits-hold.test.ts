/** Limits that no other conversation comes to: each holds as it is configured, and not as it is by default. */
import type { Packet } from '@dunlin/protocol';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Authenticator } from '../src/ports/authenticator.ts';
import type { Limits } from '../src/ports/limits.ts';
import { ack, connect, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

afterEach(() => vi.restoreAllMocks());

const byName: Authenticator = {
  authenticate: ({ userName }) => ({ kind: 'accept', userName }),
  exchange: () => null,
};

const alone = (limits: Partial<Limits>) => World.alone({ limits, authenticator: byName });

test('CONNACK tells MQTT 5 clients of them', async () => {
  const { worker } = await alone({
    ...{ receiveMaximum: 7, topicAliasMaximum: 3, maximumPacketSizeBytes: 5000, maximumQos: 1, retainAvailable: false },
    ...{ wildcardSubscriptionAvailable: false, sharedSubscriptionAvailable: false },
  });
  expect((await worker.dial('c')).one('connack').properties).toMatchObject({
    ...{ receiveMaximum: 7, topicAliasMaximum: 3, maximumPacketSize: 5000, maximumQos: 1, retainAvailable: 0 },
    ...{ wildcardSubscriptionAvailable: 0, sharedSubscriptionAvailable: 0 },
  });
});

describe('sessions', () => {
  const expiry = (seconds: number) => ({ cleanStart: false, expiry: seconds });
  const old = { version: 4, cleanStart: false } as const;

  test.each([
    ['sessionExpiryMaxSeconds', { sessionExpiryMaxSeconds: 60 }, expiry(1000), 60],
    ['sessionExpiryMaxSeconds, which an MQTT 3 client does not know', { sessionExpiryMaxSeconds: 60 }, old, 60],
    ['persistentSessionExpirySeconds', { persistentSessionExpirySeconds: 60 }, old, 60],
    ['both', { persistentSessionExpirySeconds: 1000, sessionExpiryMaxSeconds: 60 }, old, 60],
  ] as const)('end after limits.%s', async (_title, limits, options, seconds) => {
    const { world, worker } = await alone(limits);
    const client = await worker.connect('c', options);
    await client.drop();
    await world.clock.pass((seconds - 2) * 1000);
    expect(await world.store.sessions.count()).toBe(1);
    await world.clock.pass(4000);
    expect(await world.store.sessions.count()).toBe(0);
  });

  test('are not prolonged beyond limits.sessionExpiryMaxSeconds by DISCONNECT', async () => {
    const { world, worker } = await alone({ sessionExpiryMaxSeconds: 60 });
    const client = await worker.connect('c', expiry(50));
    await client.send({ type: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 1000 } });
    await world.clock.pass(62_000);
    expect(await world.store.sessions.count()).toBe(0);
  });

  test('have limits.inflightMax messages in flight, whatever more their client would take', async () => {
    const { worker } = await alone({ inflightMax: 3 });
    for (const [index, properties] of [{}, { receiveMaximum: 10 }].entries()) {
      const client = await worker.connect(`c${index}`, { properties });
      await client.subscribe(`t${index}`, 1);
      const publisher = await worker.connect('p');
      for (let i = 1; i <= 5; i++) await publisher.send(publish(`t${index}`, `${i}`, 1, i));
      expect(client.said()).toHaveLength(3);
    }
  });
});

describe('connections', () => {
  test('are as many as limits.connectionsMax', async () => {
    const { worker } = await alone({ connectionsMax: 2 });
    const first = await worker.connect('a');
    await worker.connect('b');
    expect(worker.socket().isClosed).toBe(true);
    await first.drop();
    expect(worker.socket().isClosed).toBe(false);
  });

  test('that have not signed in take limits.unsignedBytesMax of memory, before they send anything', async () => {
    const { worker } = await alone({ unsignedBytesMax: 9000 });
    const sockets = [worker.socket(), worker.socket(), worker.socket()];
    expect(sockets.map(({ isClosed }) => isClosed)).toEqual([false, false, true]);
  });

  test('end at a packet above limits.maximumPacketSizeBytes that comes behind CONNECT', async () => {
    const { worker } = await alone({ maximumPacketSizeBytes: 1000 });
    const client = worker.socket();
    await client.send(connect('c'), publish('t', 'x'.repeat(2000)));
    expect(client.isClosed).toBe(true);
  });

  test('hear of limits.topicAliasMaximum aliases, and no more', async () => {
    const { worker } = await alone({ topicAliasMaximum: 1 });
    const client = await worker.connect('c', { properties: { topicAliasMaximum: 10 } });
    await client.subscribe('#', 0);
    for (const topic of ['a', 'a', 'b', 'b']) await client.send(publish(topic, 'x'));
    const aliases = client.received().map((packet) => packet.type === 'publish' && packet.properties.topicAlias);
    expect(aliases).toEqual([1, 1, undefined, undefined]);
  });
});

test.each([
  ['bytesOutPerSecond', 100],
  ['userBytesOutPerSecond', 100],
  ['userMessagesOutPerSecond', 2],
] as const)('limits.%s: QoS 0 above it is dropped', async (key, perSecond) => {
  const { worker } = await alone({ [key]: perSecond, rateBurstSeconds: 1 });
  const client = await worker.connect('c', { userName: 'ann' });
  await client.subscribe('t', 0);
  const publisher = await worker.connect('p');
  for (let i = 0; i < 10; i++) await publisher.send(publish('t', 'x'.repeat(90)));
  expect(client.received().length).toBeLessThan(5);
  expect(worker.broker.metrics.dropped['over-rate']).toBeGreaterThan(5);
});

test('limits.userBytesInPerSecond: a client above it is not read', async () => {
  const { worker } = await alone({ userBytesInPerSecond: 1000, rateBurstSeconds: 1 });
  const client = await worker.connect('c', { userName: 'ann' });
  await client.send(publish('t', 'x'.repeat(3000)));
  expect(client.transport.paused).toBe(true);
});

describe('logs', () => {
  /** Messages for a client that is away, and then back. */
  async function away(limits: Partial<Limits>, filter: string) {
    const { world, worker } = await alone(limits);
    const durable = { cleanStart: false, expiry: 1000 };
    const client = await worker.connect('c', durable);
    await client.subscribe(filter, 1);
    await client.drop();
    const publisher = await worker.connect('p');
    for (let i = 1; i <= 5; i++) await publisher.send(publish('t', `${i}`.repeat(1000), 1, i));
    return { world, worker, back: () => worker.dial('c', durable) };
  }

  test('keep no more than limits.logBytesMax', async () => {
    const { world, worker } = await away({ logBytesMax: 3000 }, 't');
    await world.clock.pass(120_000);
    expect(worker.broker.metrics.dropped['log-limit']).toBeGreaterThan(1);
  });

  test.each(['t', '$share/g/t'])(
    'are read in pages of limits.logPageMessages and limits.logPageBytes: %s',
    async (filter) => {
      const { world, back } = await away({ logPageMessages: 2, logPageBytes: 7777 }, filter);
      const read = vi.spyOn(world.store.logs, 'read');
      const client = await back();
      expect(client.said()).toHaveLength(6);
      expect(new Set(read.mock.calls.map(([, , messages, bytes]) => `${messages} ${bytes}`))).toEqual(
        new Set(['2 7777']),
      );
    },
  );

  test('of a group have no more than limits.logPageBytes under way to another worker, in messages that nobody has confirmed', async () => {
    const limits = { logPageBytes: 3000, inflightMax: 100, outputBufferBytesMax: 1_000_000 };
    const { world, workers } = await World.of(2, { limits, authenticator: byName });
    const members = await Promise.all(
      workers.map((worker, index) => worker.connect(`member-${index}`, { cleanStart: false, expiry: 1000 })),
    );
    for (const member of members) await member.subscribe('$share/g/t', 1);
    const publisher = await workers[0].connect('p');
    for (let i = 1; i <= 10; i++) await publisher.send(publish('t', 'x'.repeat(1000), 1, i));
    await world.clock.pass(5000);
    const numbersOf = (packets: readonly Packet[]) =>
      packets.flatMap((packet) => (packet.type === 'publish' ? [packet.packetId ?? 0] : []));
    const came = members.map((member) => ({ member, numbers: numbersOf(member.received()) }));
    // The member beside the group's leader gets what the other's worker has no room for.
    const [far, near] = came.sort((a, b) => a.numbers.length - b.numbers.length);
    expect([far.numbers.length, near.numbers.length]).toEqual([3, 7]);
    await far.member.send(...far.numbers.map((packetId) => ack('puback', packetId)));
    for (let i = 11; i <= 20; i++) await publisher.send(publish('t', 'x'.repeat(1000), 1, i));
    await world.clock.pass(5000);
    expect(numbersOf(far.member.received())).toHaveLength(3);
  });
});

describe('what is stored', () => {
  test.each([
    ['retainedBytesMax', 100, 't', true],
    ['retainedBytesPerUserMax', 100, 't', true],
    ['delayedMessagesMax', 0, '$delayed/5/t', false],
    ['delayedBytesMax', 100, '$delayed/5/t', false],
    ['delayedBytesPerUserMax', 100, '$delayed/5/t', false],
  ] as const)('has limits.%s', async (key, value, topic, retain) => {
    const { worker } = await alone({ [key]: value });
    const client = await worker.connect('c', { userName: 'ann' });
    await client.send(publish(topic, 'x'.repeat(200), 1, 1, { retain }));
    const { reasonCode, properties } = client.one('puback');
    expect(reasonCode).toBe(0x97);
    expect(properties?.reasonString).toContain(`limits.${key} is ${value}`);
  });

  test('is not further in the future than limits.delayMaxSeconds', async () => {
    const { worker } = await alone({ delayMaxSeconds: 5 });
    const client = await worker.connect('c');
    await client.send(publish('$delayed/5/t', 'x', 1, 1), publish('$delayed/6/t', 'x', 1, 2));
    expect(client.said()).toContain('disconnect 0x90');
  });

  test('is nothing retained where limits.retainAvailable is false, also when it was left before', async () => {
    const { world, worker } = await alone({});
    const client = await worker.connect('c');
    await client.send(publish('$delayed/5/t', 'x', 1, 1, { retain: true }));
    const next = await world.replace(worker, { limits: { retainAvailable: false } });
    const watcher = await next.connect('w');
    await watcher.subscribe('t', 0);
    await world.clock.pass(6000);
    expect(watcher.said()).toHaveLength(1);
    expect(await world.store.retained.count()).toBe(0);
  });
});

test.each([
  ['retainAvailable', false, { retain: true, qos: 0 }, 'connack 0x9a'],
  ['maximumQos', 1, { retain: false, qos: 2 }, 'connack 0x9b'],
] as const)('a will beyond limits.%s is refused with CONNECT', async (key, value, more, said) => {
  const { worker } = await alone({ [key]: value });
  const will = { topic: 't', payload: Buffer.from('x'), properties: {}, ...more };
  expect((await worker.dial('c', { will })).said()).toEqual([said]);
});

test('limits.matchCacheMax topics are remembered: others are looked up again', async () => {
  const again = async (limits: Partial<Limits>): Promise<number> => {
    const { worker } = await alone(limits);
    const client = await worker.connect('c');
    for (const topic of ['a', 'b', 'c', 'd']) await client.send(publish(topic, 'x'));
    const { nodesVisited } = worker.broker.tree;
    for (const topic of ['a', 'b', 'c']) await client.send(publish(topic, 'x'));
    return worker.broker.tree.nodesVisited - nodesVisited;
  };
  expect(await again({})).toBe(0);
  expect(await again({ matchCacheMax: 2 })).toBeGreaterThan(0);
});

test('limits.sharedStrategy chooses the member', async () => {
  const shares = async (limits: Partial<Limits>): Promise<number[]> => {
    const { worker } = await alone(limits);
    const members = [await worker.connect('a'), await worker.connect('b')];
    for (const member of members) await member.subscribe('$share/g/t', 0);
    const publisher = await worker.connect('p');
    for (let i = 0; i < 4; i++) await publisher.send(publish('t', 'x'));
    return members.map((member) => member.received().length).sort();
  };
  expect(await shares({})).toEqual([2, 2]);
  expect(await shares({ sharedStrategy: 'sticky' })).toEqual([0, 4]);
});

test('limits.sysIntervalSeconds of 0 publishes nothing of $SYS by itself', async () => {
  const { world, worker } = await alone({ sysIntervalSeconds: 0 });
  const client: Awaited<ReturnType<Worker['connect']>> = worker.socket(5, '127.0.0.1:1883');
  await client.send(connect('c'));
  await client.subscribe('$SYS/broker/uptime', 0);
  client.received();
  await world.clock.pass(60_000);
  expect(client.said()).toEqual([]);
});
