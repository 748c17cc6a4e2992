/** SUBSCRIBE and UNSUBSCRIBE, retained messages, topic aliases towards the client. */
import { describe, expect, test } from 'vitest';
import { ack, publish, subscribe } from './support/client.ts';
import { World } from './support/world.ts';

describe('SUBACK', () => {
  test.each([
    ['a filter that is none', 'a/#/b', {}, 0x8f],
    ['a wildcard where they are not available', 'a/+', { wildcardSubscriptionAvailable: false }, 0xa2],
    ['a shared one where they are not available', '$share/g/a', { sharedSubscriptionAvailable: false }, 0x9e],
    ['one more than allowed', 'b', { subscriptionsMax: 1 }, 0x97],
    ['at the maximum QoS', 'b', { maximumQos: 1 as const }, 1],
  ])('%s', async (_what, filter, limits, reasonCode) => {
    const { worker } = await World.alone({ limits });
    const client = await worker.connect('c');
    await client.subscribe('a', 0);
    expect(await client.subscribe(filter, 2)).toEqual([reasonCode]);
    for (const version of [3, 4] as const) {
      const old = await worker.connect('old', { version });
      await old.subscribe('a', 0);
      expect(await old.subscribe(filter, 2)).toEqual([reasonCode > 2 ? 0x80 : reasonCode]);
      expect(old.isClosed).toBe(false);
    }
  });

  test('No Local on a shared subscription ends the connection [MQTT-3.8.3-4]', async () => {
    const { worker } = await World.alone();
    const client = await worker.connect('c');
    await client.send(subscribe('$share/g/t', 0, { noLocal: true }));
    expect(client.said()).toEqual(['disconnect 0x82']);
  });

  test('UNSUBSCRIBE answers each filter, and nothing comes afterwards', async () => {
    const { worker } = await World.alone();
    const client = await worker.connect('c');
    await client.subscribe('a', 0);
    await client.send({ type: 'unsubscribe', packetId: 3, filters: ['a', 'b'], properties: {} });
    expect(client.said()).toEqual(['unsuback 0x00 0x11']);
    await client.send(publish('a', 'x'));
    expect(client.said()).toEqual([]);
    expect(worker.view.hasNoFilters).toBe(true);
  });
});

describe('overlapping subscriptions', () => {
  test('an ephemeral session gets one copy at the highest QoS with all identifiers [MQTT-3.3.4-3]', async () => {
    const { worker } = await World.alone();
    const client = await worker.connect('c');
    await client.subscribe('a/#', 0, {}, 1);
    await client.subscribe('a/+', 2, {}, 2);
    await client.subscribe('a/b', 1);
    await client.send(publish('a/b', 'x', 2, 1));
    const got = client.received().flatMap((packet) => (packet.type === 'publish' ? [packet] : []));
    expect(got).toHaveLength(1);
    expect(got[0]).toMatchObject({ qos: 2 });
    const identifiers = got[0].properties.subscriptionIdentifier ?? [];
    expect([...identifiers].sort()).toEqual([1, 2]);
  });

  test('the same filter again replaces the options, without a gap [MQTT-3.8.4-3]', async () => {
    const { worker } = await World.alone();
    for (const expiry of [0, 100]) {
      const client = await worker.connect('c', { expiry });
      await client.subscribe('t', 2, {}, 5);
      await client.subscribe('t', 1, {}, 6);
      await client.send(publish('t', 'x', 2, 1));
      const got = client.received().filter((packet) => packet.type === 'publish');
      expect(got).toMatchObject([{ qos: 1, properties: { subscriptionIdentifier: [6] } }]);
    }
  });
});

describe('retained messages', () => {
  test.each([
    [0, false, ['publish r/1 a q1 #1 retain']],
    [1, false, ['publish r/1 a q1 #1 retain']],
    [2, false, []],
    [0, true, ['publish r/1 a q1 #1 retain']],
    [1, true, []],
    [2, true, []],
  ] as const)('Retain Handling %i, subscribed before: %s', async (retainHandling, again, expected) => {
    const { worker } = await World.alone();
    const publisher = await worker.connect('p');
    await publisher.send(publish('r/1', 'a', 1, 1, { retain: true }));
    const client = await worker.connect('c');
    if (again) await client.subscribe('r/+', 1, { retainHandling: 2 });
    await client.subscribe('r/+', 1, { retainHandling });
    expect(client.said()).toEqual(expected);
  });

  test('an empty payload removes it; live copies have RETAIN only as published [MQTT-3.3.1-12]', async () => {
    const { worker } = await World.alone();
    const publisher = await worker.connect('p');
    const plain = await worker.connect('plain');
    await plain.subscribe('r', 0);
    const asPublished = await worker.connect('as-published');
    await asPublished.subscribe('r', 0, { retainAsPublished: true });
    await publisher.send(publish('r', 'a', 0, 0, { retain: true }), publish('r', '', 0, 0, { retain: true }));
    expect(plain.said()).toEqual(['publish r a q0', 'publish r  q0']);
    expect(asPublished.said()).toEqual(['publish r a q0 retain', 'publish r  q0 retain']);
    const late = await worker.connect('late');
    await late.subscribe('r', 0);
    expect(late.said()).toEqual([]);
  });

  test('500 of them through a window of 3, and a client that leaves in the middle', async () => {
    const { world, worker } = await World.alone();
    const publisher = await worker.connect('p');
    for (let i = 0; i < 500; i++)
      await publisher.send(
        publish(`r/${i}`, 'x', 0, 0, { retain: true }),
        publish(`r/${i}`, String(i), 1, 1, { retain: true }),
      );
    for (const stopAt of [500, 20]) {
      const client = await worker.connect('c', { properties: { receiveMaximum: 3 } });
      await client.subscribe('r/#', 1);
      const got: string[] = [];
      for (let packets = client.received(); packets.length > 0 && got.length < stopAt; packets = client.received()) {
        for (const packet of packets) {
          if (packet.type !== 'publish') continue;
          got.push(packet.payload.toString());
          await client.send(ack('puback', packet.packetId));
        }
      }
      expect(new Set(got).size).toBe(got.length);
      expect(got.length).toBeGreaterThanOrEqual(stopAt);
      await client.drop();
    }
    await world.clock.settle();
    expect(worker.view.session('c')).toBeNull();
  });
});

test('topic aliases: ours are given up to the client’s maximum, the client’s are looked up', async () => {
  const { worker } = await World.alone();
  const client = await worker.connect('c', { properties: { topicAliasMaximum: 1 } });
  await client.subscribe('#', 1);
  await client.send(
    publish('long/topic', '1', 0, 0, { properties: { topicAlias: 7 } }),
    publish('', '2', 1, 5, { properties: { topicAlias: 7 } }),
    publish('other', '3', 0, 0, { properties: { topicAlias: 7 } }),
    publish('', '4', 0, 0, { properties: { topicAlias: 7 } }),
  );
  const got = client.received().flatMap((packet) => (packet.type === 'publish' ? [packet] : []));
  expect(got.map((packet) => [packet.topic, packet.payload.toString(), packet.properties.topicAlias ?? 0])).toEqual([
    ['long/topic', '1', 1],
    ['', '2', 1],
    ['other', '3', 0],
    ['other', '4', 0],
  ]);
});

test('user properties and the rest go on unaltered, in their order, to MQTT 5 alone [MQTT-3.3.2-17]', async () => {
  const { worker } = await World.alone();
  const properties = {
    payloadFormatIndicator: 1 as const,
    contentType: 'text/plain',
    responseTopic: 'reply',
    correlationData: Buffer.from('abc'),
    userProperties: [
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
    ] as [string, string][],
  };
  const five = await worker.connect('five');
  const four = await worker.connect('four', { version: 4 });
  const durable = await worker.connect('durable', { expiry: 100 });
  for (const client of [five, four, durable]) await client.subscribe('t', 1);
  const publisher = await worker.connect('p');
  await publisher.send(publish('t', 'x', 1, 1, { properties }));
  expect(five.one('publish').properties).toEqual(properties);
  expect(durable.one('publish').properties).toEqual(properties);
  expect(four.one('publish').properties).toEqual({});
});
