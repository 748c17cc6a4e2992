/** Four workers on one store: publishes, subscriptions, shared groups and the end of a worker. */
import { describe, expect, test } from 'vitest';
import { ack, type Client, publish, subscribe } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;

/** Acknowledges everything, as long as anything comes, and returns the payloads in their order. */
async function drain(client: Client): Promise<string[]> {
  const payloads: string[] = [];
  for (let packets = client.received(); packets.length > 0; packets = client.received()) {
    for (const packet of packets) {
      if (packet.type === 'publish') {
        payloads.push(packet.payload.toString());
        if (packet.qos === 1) await client.send(ack('puback', packet.packetId));
        else if (packet.qos === 2) await client.send(ack('pubrec', packet.packetId));
      } else if (packet.type === 'pubrel') {
        await client.send(ack('pubcomp', packet.packetId));
      }
    }
  }
  return payloads;
}

describe('publishes between workers', () => {
  test.each([0, 1, 2] as const)(
    'QoS %i reaches ephemeral and durable subscribers everywhere, once and in order',
    async (qos) => {
      const { workers } = await World.of(4);
      const subscribers: Client[] = [];
      for (const [i, worker] of workers.entries()) {
        for (const options of [{}, durable]) {
          const client = await worker.connect(`s${i}${'expiry' in options}`, options);
          await client.subscribe('t/+', qos);
          subscribers.push(client);
        }
      }
      const publisher = await workers[2].connect('p');
      for (let i = 1; i <= 5; i++) {
        await publisher.send(publish('t/x', `m${i}`, qos, qos === 0 ? 0 : i));
        if (qos === 2) await publisher.send(ack('pubrel', i));
      }
      expect(publisher.said()).toHaveLength(5 * qos);
      for (const subscriber of subscribers) expect(await drain(subscriber)).toEqual(['m1', 'm2', 'm3', 'm4', 'm5']);
    },
  );

  /** Seen to fail with `waits` set to null in PublishRouter.toEndpoints. */
  test('PUBACK waits until the other worker has acknowledged the frame', async () => {
    const { world, workers } = await World.of(2);
    const subscriber = await workers[1].connect('s');
    await subscriber.subscribe('t', 1);
    const publisher = await workers[0].connect('p');
    const link = workers[0].broker.links;
    const acknowledged = link.acknowledged.bind(link);
    const held: (() => void)[] = [];
    link.acknowledged = (from, sequence) => void held.push(() => acknowledged(from, sequence));
    await publisher.send(publish('t', 'x', 1, 1));
    expect(subscriber.said()).toEqual(['publish t x q1 #1']);
    expect(publisher.said()).toEqual([]);
    for (const go of held) go();
    await world.clock.settle();
    expect(publisher.said()).toEqual(['puback #1']);
  });

  test('a worker dies: its routes go, and who waited for it waits no more', async () => {
    const { world, workers } = await World.of(3);
    const subscriber = await workers[1].connect('s');
    await subscriber.subscribe('t', 1);
    const publisher = await workers[0].connect('p');
    workers[0].broker.links.acknowledged = () => {};
    await publisher.send(publish('t', 'x', 1, 1));
    expect(publisher.said()).toEqual([]);
    await workers[1].crash();
    expect(publisher.said()).toEqual(['puback #1']);
    for (const worker of [workers[0], workers[2]]) expect(worker.view.hasFilter('t')).toBe(false);
    await publisher.send(publish('t', 'y', 1, 2));
    expect(publisher.said()).toEqual(['puback #2 0x10']);
    await world.clock.settle();
  });
});

/** Seen to fail with the `await broker.routes.confirmed()` of handlers/subscribe.ts taken out. */
describe('P5: subscribed means subscribed', () => {
  test('SUBACK comes when every worker has the route, and a publish sent then is delivered', async () => {
    const { world, workers } = await World.of(4);
    const publisher = await workers[3].connect('p');
    const subscriber = await workers[0].connect('s');
    subscriber.put(subscribe('t', 0));
    for (let turn = 0; subscriber.transport.chunks.length === 0; turn++) {
      expect(turn).toBeLessThan(100);
      await world.clock.turnOnce();
    }
    publisher.put(publish('t', 'x'));
    await world.clock.settle();
    expect(subscriber.said()).toEqual(['suback 0x00', 'publish t x q0']);
  });

  test('a worker that does not confirm holds SUBACK up for a bounded time, counted', async () => {
    const { world, workers } = await World.of(2, { limits: { routeConfirmMilliseconds: 1500 } });
    workers[0].broker.routes.confirmReceived = () => {};
    const subscriber = await workers[0].connect('s');
    await subscriber.send(subscribe('t', 0));
    await world.clock.pass(1400);
    expect(subscriber.said()).toEqual([]);
    await world.clock.pass(200);
    expect(subscriber.said()).toEqual(['suback 0x00']);
    expect(workers[0].broker.metrics.barrierTimeouts).toBe(1);
  });

  test('what another worker appended before it knew of the route is read from the log, not left for later', async () => {
    const { world, workers } = await World.of(2);
    const keeper = await workers[1].connect('keeper', durable);
    await keeper.subscribe('t', 1);
    const publisher = await workers[1].connect('p');
    const subscriber = await workers[0].connect('s', durable);
    const { routes } = workers[1].broker;
    const received = routes.received.bind(routes);
    // The publish is taken by the other worker just before the route comes into force there.
    routes.received = (from, reader) => {
      publisher.put(publish('t', 'between', 1, 1));
      routes.received = received;
      return received(from, reader);
    };
    await subscriber.send(subscribe('t', 1));
    await world.clock.settle();
    expect(publisher.said()).toEqual(['puback #1']);
    expect(subscriber.said()).toContain('publish t between q1 #1');
  });

  test('a retained publish racing the subscription on another worker is seen, live or retained', async () => {
    const { world, workers } = await World.of(2);
    const publisher = await workers[1].connect('p');
    const subscriber = await workers[0].connect('s');
    workers[1].gate.block('retained.set');
    publisher.put(publish('r', 'kept', 1, 1, { retain: true }));
    await world.clock.turnOnce();
    await subscriber.send(subscribe('r', 1));
    expect(subscriber.said()).toEqual([]); // the write was begun before the route: SUBACK waits for it
    workers[1].gate.open('retained.set');
    await world.clock.settle();
    expect(subscriber.said()).toEqual(['suback 0x01', 'publish r kept q1 #1 retain']);
  });
});

describe('shared groups over workers', () => {
  async function members(workers: Worker[], qos: 0 | 1 | 2): Promise<Client[]> {
    const clients: Client[] = [];
    for (const [i, worker] of workers.entries()) {
      const member = await worker.connect(`m${i}`);
      await member.subscribe('$share/g/jobs', qos);
      clients.push(member);
    }
    return clients;
  }

  test.each([0, 1, 2] as const)('each message of QoS %i goes to exactly one member', async (qos) => {
    const { workers } = await World.of(4);
    const all = await members(workers, qos);
    const sent: string[] = [];
    for (const [i, worker] of workers.entries()) {
      const publisher = await worker.connect(`p${i}`);
      for (let n = 1; n <= 8; n++) {
        sent.push(`${i}-${n}`);
        await publisher.send(publish('jobs', `${i}-${n}`, qos, qos === 0 ? 0 : n));
      }
    }
    const got = await Promise.all(all.map((member) => drain(member)));
    expect(got.flat().sort()).toEqual(sent.sort());
    for (const share of got) expect(share.length).toBeGreaterThan(0);
  });

  test('what a member leaves unacknowledged goes to another, on another worker if need be', async () => {
    const { workers } = await World.of(2);
    const [first, second] = await members(workers, 1);
    const publisher = await workers[0].connect('p');
    for (let n = 1; n <= 6; n++) await publisher.send(publish('jobs', `j${n}`, 1, n));
    expect(first.received()).toHaveLength(3);
    await first.drop();
    expect((await drain(second)).sort()).toEqual(['j1', 'j2', 'j3', 'j4', 'j5', 'j6']);
  });

  test('more groups on one topic than a byte can count', async () => {
    const { workers } = await World.of(2, { limits: { sharedGroupsPerFilterMax: 300 } });
    const member = await workers[1].connect('m');
    for (let i = 0; i < 300; i++) await member.subscribe(`$share/g${i}/jobs`, 0);
    const publisher = await workers[0].connect('p');
    await publisher.send(publish('jobs', 'x', 1, 1));
    expect(publisher.said()).toEqual(['puback #1']);
    expect(await drain(member)).toHaveLength(300);
  });

  test('the group goes with its last member, everywhere', async () => {
    const { workers } = await World.of(2);
    const all = await members(workers, 1);
    for (const member of all) await member.drop();
    for (const worker of workers) expect(worker.view.hasNoFilters).toBe(true);
  });
});

/** P8. Seen to fail with the `wills.set` of Opening.keepWill taken out. */
test('P8: the wills of a worker that died are published by another, after their delay', async () => {
  const { world, workers } = await World.of(3);
  const watcher = await workers[2].connect('watcher');
  await watcher.subscribe('will/#', 1);
  const will = (name: string, delay: number): object => ({
    will: {
      topic: `will/${name}`,
      payload: Buffer.from('gone'),
      qos: 1,
      retain: false,
      properties: { willDelayInterval: delay },
    },
  });
  await workers[1].connect('now', will('now', 0));
  await workers[1].connect('later', { ...will('later', 5), expiry: 100 });
  await workers[1].connect('session', { ...will('session', 500), expiry: 10 });
  await workers[1].crash();
  await world.store.sessions.releaseOwner(workers[1].broker.self, world.clock.now());
  await world.clock.pass(1500);
  expect(watcher.said()).toEqual(['publish will/now gone q1 #1']);
  await world.clock.pass(2000);
  expect(watcher.said()).toEqual([]);
  await world.clock.pass(2000);
  expect(watcher.said()).toEqual(['publish will/later gone q1 #2']);
  await world.clock.pass(6000);
  expect(watcher.said()).toEqual(['publish will/session gone q1 #3']); // the session has ended before the delay
  await world.clock.pass(60_000);
  expect(watcher.said()).toEqual([]);
});
