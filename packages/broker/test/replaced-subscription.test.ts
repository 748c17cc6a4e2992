/**
 * Messages that a client is owed by a subscription outlive it: SUBSCRIBE with QoS 0 loses nothing that was queued
 * [MQTT-3.8.4-4], and UNSUBSCRIBE, or rules that take a subscription away, nothing that was sent and is not
 * acknowledged [MQTT-3.10.4-3], [MQTT-4.4.0-1].
 */
import type { Packet } from '@dunlin/protocol';
import { describe, expect, test } from 'vitest';
import type { Authorizer } from '../src/ports/authorizer.ts';
import { ack, type Client, publish, subscribe } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;
const unsubscribe: Packet = { type: 'unsubscribe', packetId: 3, filters: ['t'], properties: {} };

/** A publisher's messages with numbers as payloads, acknowledged. */
async function feed(worker: Worker, from: number, to: number, qos: 1 | 2 = 1): Promise<void> {
  const publisher = await worker.connect(`p${from}`);
  for (let i = from; i <= to; i++) {
    await publisher.send(publish('t', String(i), qos, i));
    if (qos === 2) await publisher.send(ack('pubrel', i));
  }
  expect(publisher.said()).toHaveLength((to - from + 1) * qos);
  await publisher.drop();
}

/** Answers what comes until nothing does; returns the payloads and QoS, those sent again with `dup`. */
async function takeAll(client: Client): Promise<string[]> {
  const taken: string[] = [];
  for (let packets = client.received(); packets.length > 0; packets = client.received()) {
    for (const packet of packets) {
      if (packet.type === 'publish') {
        taken.push(`${packet.payload} q${packet.qos}${packet.dup ? ' dup' : ''}`);
        if (packet.qos > 0) await client.send(ack(packet.qos === 1 ? 'puback' : 'pubrec', packet.packetId));
      } else if (packet.type === 'pubrel') {
        await client.send(ack('pubcomp', packet.packetId));
      } else if (packet.type === 'connack') {
        expect(packet).toMatchObject({ reasonCode: 0, sessionPresent: true });
      }
    }
  }
  return taken;
}

function numbered(from: number, to: number, qos: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i} q${qos}`);
}

/**
 * Ways in which the client comes back: after its connection was lost, while it stands on another worker, or after its
 * worker has died.
 */
const returns = ['the same worker', 'another worker', 'another worker, taken over', 'a new worker'] as const;

async function comeBack(
  world: World,
  workers: Worker[],
  client: Client,
  how: (typeof returns)[number],
  window: number,
): Promise<{ worker: Worker; client: Client }> {
  let worker = workers[how === 'the same worker' ? 0 : 1];
  if (how === 'the same worker' || how === 'another worker') await client.drop();
  if (how === 'a new worker') {
    await workers[0].crash();
    await world.store.sessions.releaseOwner(workers[0].broker.self, world.clock.now());
    worker = workers[1];
  }
  const again = await worker.dial('d', { ...durable, properties: { receiveMaximum: window } });
  return { worker, client: again };
}

describe.each([1, 2] as const)('SUBSCRIBE with QoS 0 in place of QoS %i', (granted) => {
  /** Ten messages were queued while the client was away, and it is there again: those of its window were sent to it. */
  async function queued(window: number): Promise<{ world: World; workers: Worker[]; client: Client }> {
    const { world, workers } = await World.of(2);
    const first = await workers[0].connect('d', durable);
    await first.subscribe('t', granted);
    await first.drop();
    await feed(workers[1], 1, 10, granted);
    const client = await workers[0].dial('d', { ...durable, properties: { receiveMaximum: window } });
    return { world, workers, client };
  }

  test.each([1, 2, 3, 100])('all that was queued comes, once and in its order, with a window of %i', async (window) => {
    const { world, workers, client } = await queued(window);
    await client.send(subscribe('t', 0));
    await feed(workers[1], 11, 12, 2);
    const taken = await takeAll(client);
    expect(taken).toEqual([...numbered(1, 10, granted), ...numbered(11, 12, 0)]);
    await world.clock.pass(1000);
    // And it is a subscription of QoS 0 from then on.
    await client.drop();
    await feed(workers[1], 13, 14);
    expect(await world.store.logs.durableFilters()).toEqual([]);
    const { client: again } = await comeBack(world, workers, client, 'the same worker', 100);
    await feed(workers[1], 15, 15);
    expect(await takeAll(again)).toEqual(numbered(15, 15, 0));
  });

  test.each(returns)('the rest comes on the next connection: %s', async (how) => {
    const { world, workers, client } = await queued(2);
    await client.send(subscribe('t', 0));
    expect(client.said()).toEqual(expect.arrayContaining(['suback 0x00']));
    const { worker, client: again } = await comeBack(world, workers, client, how, 3);
    const taken = await takeAll(again);
    const isResent = granted === 2 || how !== 'a new worker';
    const dup = isResent ? ' dup' : '';
    expect(taken).toEqual([`1 q${granted}${dup}`, `2 q${granted}${dup}`, ...numbered(3, 10, granted)]);
    await again.drop();
    expect(await world.store.logs.durableFilters()).toEqual([]);
    const { client: last } = await comeBack(world, [worker], again, 'the same worker', 100);
    await feed(workers[1], 11, 11);
    expect(await takeAll(last)).toEqual(numbered(11, 11, 0));
  });

  test('its worker dies before it is noted where the queue ends: nothing is lost', async () => {
    const { world, workers, client } = await queued(2);
    workers[0].gate.block('sessions.update');
    await client.send(subscribe('t', 0));
    expect(client.said()).not.toContain('suback 0x00');
    const { client: again } = await comeBack(world, workers, client, 'a new worker', 3);
    expect((await takeAll(again)).map((line) => line.split(' ')[0])).toEqual(
      numbered(1, 10, 1).map((line) => line.split(' ')[0]),
    );
    await again.drop();
    expect(await world.store.logs.durableFilters()).toEqual([]);
  });

  test('with QoS above 0 again nothing is lost and nothing comes twice', async () => {
    const { world, workers, client } = await queued(2);
    await client.send(subscribe('t', 0));
    await feed(workers[1], 11, 12, granted);
    await client.send(subscribe('t', granted));
    await feed(workers[1], 13, 14, granted);
    expect(await takeAll(client)).toEqual(numbered(1, 14, granted));
    await world.clock.pass(1000);
    const { client: again } = await comeBack(world, workers, client, 'a new worker', 100);
    await feed(workers[1], 15, 15, granted);
    expect(await takeAll(again)).toEqual(numbered(15, 15, granted));
  });

  test('a message whose append is under way comes', async () => {
    const { world, workers } = await World.of(2);
    const client = await workers[0].connect('d', durable);
    await client.subscribe('t', granted);
    const publisher = await workers[1].connect('p');
    workers[1].gate.block('logs.append');
    await publisher.send(publish('t', 'x', granted, 1));
    await client.send(subscribe('t', 0));
    workers[1].gate.open('logs.append');
    await world.clock.settle();
    expect((await takeAll(client)).map((line) => line.split(' ')[0])).toEqual(['x']);
  });
});

/** The group would end with its last durable member, and its messages with it. */
describe.each([1, 2] as const)(
  'SUBSCRIBE to a shared filter with QoS 0 in place of QoS %i, alone in the group',
  (granted) => {
    const filter = '$share/g/t';

    async function queued(window: number): Promise<{ world: World; workers: Worker[]; client: Client }> {
      const { world, workers } = await World.of(2);
      const first = await workers[0].connect('d', durable);
      await first.subscribe(filter, granted);
      await first.drop();
      await feed(workers[1], 1, 10, granted);
      const client = await workers[0].dial('d', { ...durable, properties: { receiveMaximum: window } });
      return { world, workers, client };
    }

    test.each([1, 2, 100])('all that was queued comes, once, with a window of %i', async (window) => {
      const { world, workers, client } = await queued(window);
      await client.send(subscribe(filter, 0));
      expect(client.transport.ended).toBe(false);
      await feed(workers[1], 11, 12, 2);
      const taken = await takeAll(client);
      expect(taken).toEqual([...numbered(1, 10, granted), ...numbered(11, 12, 0)]);
      await world.clock.pass(1000);
      // And it is a subscription of QoS 0 from then on.
      await client.drop();
      expect(await world.store.logs.durableFilters()).toEqual([]);
      await world.clock.pass(1000);
      await feed(workers[1], 13, 14);
      const { client: again } = await comeBack(world, workers, client, 'another worker', 100);
      await feed(workers[1], 15, 15);
      expect(await takeAll(again)).toEqual(numbered(15, 15, 0));
    });

    test.each(returns)('the rest comes on the next connection: %s', async (how) => {
      const { world, workers, client } = await queued(2);
      await client.send(subscribe(filter, 0));
      expect(client.said()).toEqual(expect.arrayContaining(['suback 0x00']));
      const { worker, client: again } = await comeBack(world, workers, client, how, 3);
      await world.clock.pass(5000); // another leads the group
      const taken = await takeAll(again);
      expect(new Set(taken.map((line) => line.split(' ')[0]))).toEqual(
        new Set(numbered(1, 10, 1).map((line) => line.split(' ')[0])),
      );
      await feed(worker, 11, 11);
      expect(await takeAll(again)).toEqual(numbered(11, 11, 0));
      await world.clock.pass(1000);
      await again.drop();
      expect(await world.store.logs.durableFilters()).toEqual([]);
    });

    test('with QoS above 0 again nothing is lost and nothing comes twice', async () => {
      const { workers, client } = await queued(2);
      await client.send(subscribe(filter, 0));
      await feed(workers[1], 11, 12, granted);
      await client.send(subscribe(filter, granted));
      await feed(workers[1], 13, 14, granted);
      expect(await takeAll(client)).toEqual(numbered(1, 14, granted));
    });

    test('UNSUBSCRIBE ends the group', async () => {
      const { world, client } = await queued(2);
      await client.send(subscribe(filter, 0), { ...unsubscribe, filters: [filter] } as Packet);
      expect(client.said()).toEqual(expect.arrayContaining(['suback 0x00', 'unsuback 0x00']));
      expect(await world.store.logs.durableFilters()).toEqual([]);
    });
  },
);

describe.each([1, 2] as const)('what is in flight with QoS %i', (qos) => {
  /** Three messages were sent and are not acknowledged; two more wait behind the window. */
  async function sent(authorizer?: Authorizer): Promise<{ world: World; workers: Worker[]; client: Client }> {
    const { world, workers } = await World.of(2, authorizer === undefined ? {} : { authorizer });
    const client = await workers[0].connect('d', { ...durable, properties: { receiveMaximum: 3 } });
    await client.subscribe('t', qos);
    await feed(workers[1], 1, 5, qos);
    expect(client.received()).toHaveLength(3);
    return { world, workers, client };
  }

  async function comesAgain(client: Client): Promise<void> {
    expect(await takeAll(client)).toEqual([1, 2, 3].map((number) => `${number} q${qos} dup`));
  }

  /** Expects that the client is through, with nothing left behind. */
  async function isThrough(world: World, workers: Worker[], client: Client): Promise<void> {
    await client.drop();
    expect(await world.store.logs.durableFilters()).toEqual([]);
    const last = await workers[1].dial('d', durable);
    expect(last.said()).toEqual(['connack 0x00 present']);
  }

  test.each(returns)('UNSUBSCRIBE, then %s: it comes again and is completed', async (how) => {
    const { world, workers, client } = await sent();
    await client.send(unsubscribe);
    expect(client.said()).toEqual(['unsuback 0x00']);
    expect(await world.store.logs.durableFilters()).toEqual([]);
    const { client: again } = await comeBack(world, workers, client, how, 2);
    await comesAgain(again);
    await isThrough(world, workers, again);
  });

  test.each(returns)('UNSUBSCRIBE and SUBSCRIBE, then %s: it comes again before what is new', async (how) => {
    const { world, workers, client } = await sent();
    await client.send(unsubscribe);
    await feed(workers[1], 6, 7, qos);
    await client.send(subscribe('t', qos));
    await feed(workers[1], 8, 8, qos);
    const { client: again } = await comeBack(world, workers, client, how, 10);
    expect(await takeAll(again)).toEqual([1, 2, 3].map((number) => `${number} q${qos} dup`).concat(`8 q${qos}`));
  });

  test('UNSUBSCRIBE, and it is acknowledged on the same connection: nothing is left behind', async () => {
    const { world, workers, client } = await sent();
    await client.send(unsubscribe);
    const ids = [1, 2, 3];
    if (qos === 1) await client.send(...ids.map((id) => ack('puback', id)));
    else {
      await client.send(...ids.map((id) => ack('pubrec', id)));
      await client.send(...ids.map((id) => ack('pubcomp', id)));
    }
    await world.clock.pass(200);
    const { client: again } = await comeBack(world, workers, client, 'a new worker', 10);
    expect(again.said()).toEqual(['connack 0x00 present']);
  });

  test('UNSUBSCRIBE of a subscription that was replaced by one of QoS 0', async () => {
    const { world, workers, client } = await sent();
    await client.send(subscribe('t', 0), unsubscribe);
    const { client: again } = await comeBack(world, workers, client, 'a new worker', 10);
    await comesAgain(again);
    await isThrough(world, workers, again);
  });

  test('new rules suspend the subscription: it comes again once they allow it, and what waited behind it', async () => {
    let isAllowed = true;
    const authorizer: Authorizer = { authorize: (_client, action) => action !== 'subscribe' || isAllowed };
    const { world, workers, client } = await sent(authorizer);
    isAllowed = false;
    for (const worker of workers) worker.broker.rulesChanged();
    await world.clock.settle();
    expect((await world.store.logs.durableFilters()).map(({ filter }) => filter)).toEqual(['t']);
    isAllowed = true;
    const { client: again } = await comeBack(world, workers, client, 'a new worker', 10);
    expect(await takeAll(again)).toEqual(
      [1, 2, 3].map((number) => `${number} q${qos}${qos === 2 ? ' dup' : ''}`).concat(`4 q${qos}`, `5 q${qos}`),
    );
  });
});

/** [MQTT-3.3.4-3]: the identifier is that of the subscription that it is sent for, which may be gone. Seen to come without it, and with that of a later one. */
describe.each(returns)('what is in flight comes again as it was sent: UNSUBSCRIBE, then %s', (how) => {
  function asSent(client: Client): unknown[] {
    return client
      .received()
      .flatMap((packet) =>
        packet.type === 'publish' ? [[`${packet.payload}`, packet.dup, packet.retain, packet.properties]] : [],
      );
  }

  test.each([false, true])('from a log, with RETAIN and identifier (subscribed anew: %s)', async (anew) => {
    const { world, workers } = await World.of(2);
    const client = await workers[0].connect('d', durable);
    await client.subscribe('t', 1, { retainAsPublished: true }, 300);
    const publisher = await workers[1].connect('p');
    const properties = { contentType: 'text' };
    await publisher.send(publish('t', 'x', 1, 1, { retain: true, properties }));
    const sent = { ...properties, subscriptionIdentifier: [300] };
    expect(asSent(client)).toEqual([['x', false, true, sent]]);
    await client.send(unsubscribe);
    if (anew) await client.subscribe('t', 1, { retainHandling: 2 }, 9);
    const { client: again } = await comeBack(world, workers, client, how, 10);
    expect(asSent(again)).toEqual([['x', true, true, sent]]);
    await again.drop();
    const old = await workers[1].dial('d', { version: 4, cleanStart: false });
    expect(asSent(old)).toEqual([['x', true, true, {}]]);
    expect(await takeAll(old)).toEqual([]);
  });

  test('retained, with its identifier', async () => {
    const { world, workers } = await World.of(2);
    const publisher = await workers[1].connect('p');
    await publisher.send(publish('t', 'x', 1, 1, { retain: true }));
    const client = await workers[0].connect('d', durable);
    await client.send({ ...subscribe('t', 1), subscriptionIdentifier: 7 } as Packet);
    const sent = { subscriptionIdentifier: [7] };
    expect(asSent(client)).toEqual([['x', false, true, sent]]);
    await client.send(unsubscribe);
    const { client: again } = await comeBack(world, workers, client, how, 10);
    expect(asSent(again)).toEqual([['x', true, true, sent]]);
  });
});
