import { hex, prefixed, properties, rawPacket, uint16, uint32 } from '@dunlin/testkit';
import { expect } from 'vitest';
import {
  connected,
  connectedWith,
  expectDisconnected,
  expectOnlyMarker,
  leave,
  publish,
  receive,
  subscribe,
  subscribed,
} from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import {
  ackPacket,
  durable,
  publishPacket,
  subscribePacket,
  uniqueName,
  unsubscribePacket,
} from '../src/packets-to-send.ts';

conversation(
  'a message sent again has DUP 1, a message sent first has DUP 0 whatever came in',
  { 4: '[MQTT-3.3.1-1] [MQTT-3.3.1-3]', 5: '[MQTT-3.3.1-1] [MQTT-3.3.1-3]' },
  async (level) => {
    const topic = uniqueName();
    const clientId = uniqueName();
    const subscriber = await subscribed(level, { filter: topic, qos: 2 }, durable(level, { clientId }));
    const publisher = await connected(level);
    await publish(publisher, { topic, qos: 1, dup: true, payload: 'one' });
    await publish(publisher, { topic, qos: 2, dup: true, payload: 'two' });
    await subscriber.expectPacket({ type: 'publish', topic, qos: 1, dup: false });
    await subscriber.expectPacket({ type: 'publish', topic, qos: 2, dup: false });
    await subscriber.drop();
    const again = await connected(level, durable(level, { clientId }));
    await receive(again, { topic, qos: 1, dup: true });
    await receive(again, { topic, qos: 2, dup: true });
  },
);

conversation('a QoS 0 message goes out with DUP 0', { 4: '[MQTT-3.3.1-2]', 5: '[MQTT-3.3.1-2]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, topic);
  const publisher = await connected(level);
  await publish(publisher, { topic, qos: 1, dup: true, payload: 'x' });
  await receive(subscriber, { topic, qos: 0, dup: false });
});

conversation('QoS 0 with DUP 1 closes the connection', { 4: '[MQTT-3.3.1-2]', 5: '[MQTT-3.3.1-2]' }, async (level) => {
  const client = await connected(level);
  const none = level === 5 ? [properties()] : [];
  client.send(rawPacket(0x38, prefixed(uniqueName()), ...none));
  await expectDisconnected(client, 0x81, 0x82);
});

conversation('QoS 3 closes the connection', { 4: '[MQTT-3.3.1-4]', 5: '[MQTT-3.3.1-4]' }, async (level) => {
  const client = await connected(level);
  const none = level === 5 ? [properties()] : [];
  client.send(rawPacket(0x36, prefixed(uniqueName()), uint16(1), ...none));
  await expectDisconnected(client, 0x81);
});

conversation(
  'a topic name with wildcards closes the connection',
  { 4: '[MQTT-3.3.2-2] [MQTT-4.7.1-1]', 5: '[MQTT-3.3.2-2] [MQTT-4.7.0-1]' },
  async (level) => {
    const topic = uniqueName();
    for (const name of [`${topic}/#`, `${topic}/+`, '#', '+', `${topic}+`]) {
      const client = await connected(level);
      client.send(publishPacket({ topic: name }));
      await expectDisconnected(client, 0x81, 0x82, 0x90);
    }
  },
);

conversation(
  'an empty topic name closes the connection',
  { 4: '[MQTT-4.7.3-1]', 5: '[MQTT-4.7.3-1]' },
  async (level) => {
    const client = await connected(level);
    client.send(publishPacket({ topic: '' }));
    await expectDisconnected(client, 0x81, 0x82, 0x90);
  },
);

conversation(
  'a PUBLISH that ends before its topic or identifier does closes the connection',
  { 4: '[MQTT-3.3.2-1]', 5: '[MQTT-3.3.2-1]' },
  async (level) => {
    for (const packet of [hex('30 00'), hex('30 03 00 05 61'), hex('32 04 00 01 61 00')]) {
      const client = await connected(level);
      client.send(packet);
      await expectDisconnected(client, 0x81, 0x82);
    }
  },
);

conversation(
  'the topic of a message is the one it was published to, and matches the filter',
  { 4: '[MQTT-3.3.2-3]', 5: '[MQTT-3.3.2-3]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, `${topic}/+/c/#`);
    const publisher = await connected(level);
    await publish(publisher, { topic: `${topic}/a/b` });
    await publish(publisher, { topic: `${topic}/b/c` });
    await publish(publisher, { topic: `${topic}/b/c/d/e` });
    await receive(subscriber, { topic: `${topic}/b/c` });
    await receive(subscriber, { topic: `${topic}/b/c/d/e` });
  },
);

conversation(
  'properties of a message are passed on unaltered, user properties in their order',
  {
    5: '[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]',
  },
  async (level) => {
    const sent = {
      payloadFormatIndicator: 1,
      contentType: 'text/plain; charset=utf-8',
      responseTopic: 'answers/ä/1',
      correlationData: Buffer.from([0, 255, 1, 254]),
      userProperties: [
        ['z', 'first'],
        ['a', ''],
        ['z', 'first'],
        ['', 'no name'],
        ['a', 'ünï'],
      ] as [string, string][],
    };
    for (const qos of [0, 1, 2] as const) {
      const topic = uniqueName();
      const subscriber = await subscribed(level, { filter: topic, qos: 2 });
      await publish(await connected(level), { topic, qos, properties: sent, payload: 'x' });
      const packet = await receive(subscriber, { topic, qos });
      expect(packet.properties).toEqual(sent);
    }
  },
);

conversation('payload format indicator 0 is passed on', { 5: '[MQTT-3.3.2-4]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, topic);
  await publish(await connected(level), { topic, properties: { payloadFormatIndicator: 0 } });
  const packet = await receive(subscriber, { topic });
  // 0 is what its absence means too.
  expect(packet.properties.payloadFormatIndicator ?? 0).toBe(0);
});

conversation('messages for clients of 3.1.1 have no properties', { 4: '[MQTT-3.3.2-3]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, topic);
  await publish(await connected(5), { topic, properties: { contentType: 'text/plain' }, payload: 'x' });
  await subscriber.expectBytes(rawPacket(0x30, prefixed(topic), Buffer.from('x')));
});

conversation(
  'a message that expires while it waits is not delivered, and one that waits loses that time',
  { 5: '[MQTT-3.3.2-5] [MQTT-3.3.2-6]' },
  async (level) => {
    const topic = uniqueName();
    const clientId = uniqueName();
    const away = await subscribed(level, { filter: topic, qos: 1 }, durable(level, { clientId }));
    await leave(away);
    const publisher = await connected(level);
    const retained = await subscribed(level, { filter: `${topic}/clock`, qos: 1 });
    await publish(publisher, { topic, qos: 1, payload: 'short', properties: { messageExpiryInterval: 1 } });
    await publish(publisher, { topic, qos: 1, payload: 'long', properties: { messageExpiryInterval: 60 } });
    // A will with a delay of 2 s is the broker's own clock: when it comes, the first message has expired.
    const clock = await connected(
      level,
      durable(level, {
        will: {
          topic: `${topic}/clock`,
          payload: Buffer.from('now'),
          qos: 0,
          retain: false,
          properties: { willDelayInterval: 2 },
        },
      }),
    );
    await clock.drop();
    await receive(retained, { topic: `${topic}/clock` });
    const back = await connected(level, durable(level, { clientId }));
    const packet = await receive(back, { topic, payload: 'long' });
    expect(packet.properties.messageExpiryInterval).toBeOneOf([57, 58, 59]);
  },
);

conversation('a message that did not wait keeps its expiry interval', { 5: '[MQTT-3.3.2-6]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, topic);
  await publish(await connected(level), { topic, properties: { messageExpiryInterval: 60 } });
  const packet = await receive(subscriber, { topic });
  expect(packet.properties.messageExpiryInterval).toBeOneOf([59, 60]);
});

conversation(
  'a topic alias stands for its topic, can be set anew, and counts for its connection only',
  { 5: '[MQTT-3.3.2-7] [MQTT-3.3.2-12]' },
  async (level, skip) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, `${topic}/#`);
    const { client, connack } = await connectedWith(level);
    const { topicAliasMaximum = 0 } = connack.properties;
    if (topicAliasMaximum === 0) skip('the broker takes no topic aliases');
    for (const topicAlias of [1, topicAliasMaximum]) {
      await publish(client, { topic: `${topic}/${topicAlias}`, properties: { topicAlias }, payload: 'set' });
      await publish(client, { topic: '', properties: { topicAlias }, payload: 'used' });
      await receive(subscriber, { topic: `${topic}/${topicAlias}`, payload: 'set' });
      const used = await receive(subscriber, { topic: `${topic}/${topicAlias}`, payload: 'used' });
      expect(used.properties.topicAlias).toBeUndefined();
    }
    await publish(client, { topic: `${topic}/other`, properties: { topicAlias: 1 }, payload: 'set anew' });
    await publish(client, { topic: '', properties: { topicAlias: 1 }, payload: 'used anew' });
    await receive(subscriber, { topic: `${topic}/other`, payload: 'set anew' });
    await receive(subscriber, { topic: `${topic}/other`, payload: 'used anew' });
    const other = await connected(level);
    other.send(publishPacket({ topic: '', properties: { topicAlias: 1 } }));
    await expectDisconnected(other, 0x82);
  },
);

conversation(
  'topic alias 0 and aliases above the maximum close the connection',
  { 5: '[MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.2.2-17] [MQTT-3.2.2-18]' },
  async (level) => {
    const { connack } = await connectedWith(level);
    const above = (connack.properties.topicAliasMaximum ?? 0) + 1;
    for (const topicAlias of [0, above]) {
      const client = await connected(level);
      client.send(rawPacket(0x30, prefixed(uniqueName()), properties(hex('23'), uint16(topicAlias))));
      await expectDisconnected(client, 0x94, ...(topicAlias === 0 ? [0x82, 0x81] : []));
    }
  },
);

conversation(
  'the broker uses aliases up to the maximum of the client, and none without one',
  { 5: '[MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-8] [MQTT-3.3.2-11]' },
  async (level) => {
    for (const properties of [{}, { topicAliasMaximum: 0 }, { topicAliasMaximum: 2 }]) {
      const maximum = properties.topicAliasMaximum ?? 0;
      const topic = uniqueName();
      const subscriber = await subscribed(level, `${topic}/#`, { properties });
      const publisher = await connected(level);
      const aliases = new Map<number, string>();
      for (const name of ['a', 'b', 'c', 'a', 'b', 'c', 'a']) {
        await publish(publisher, { topic: `${topic}/${name}` });
        const packet = await subscriber.expect('publish');
        const { topicAlias } = packet.properties;
        let seen = packet.topic;
        if (topicAlias !== undefined) {
          expect(topicAlias).toBeGreaterThan(0);
          expect(topicAlias).toBeLessThanOrEqual(maximum);
          if (packet.topic === '') seen = aliases.get(topicAlias) ?? '';
          else aliases.set(topicAlias, packet.topic);
        }
        expect(seen).toBe(`${topic}/${name}`);
      }
    }
  },
);

/** Properties of a PUBLISH with a string that it may not have. */
const wrongStrings: readonly [string, Buffer, string][] = [
  ['ill-formed UTF-8 in the response topic', Buffer.concat([hex('08'), prefixed(hex('61 ff'))]), '[MQTT-3.3.2-13]'],
  ['the wildcard # in the response topic', Buffer.concat([hex('08'), prefixed('answers/#')]), '[MQTT-3.3.2-14]'],
  ['the wildcard + in the response topic', Buffer.concat([hex('08'), prefixed('answers/+/x')]), '[MQTT-3.3.2-14]'],
  ['ill-formed UTF-8 in the content type', Buffer.concat([hex('03'), prefixed(hex('61 ff'))]), '[MQTT-3.3.2-19]'],
];

for (const [says, property, numbers] of wrongStrings) {
  conversation(`${says} closes the connection`, { 5: numbers }, async (level) => {
    const client = await connected(level);
    client.send(rawPacket(0x30, prefixed(uniqueName()), properties(property)));
    await expectDisconnected(client, 0x81, 0x82, 0x90);
  });
}

conversation(
  'a PUBLISH is answered as its QoS demands',
  { 4: '[MQTT-3.3.4-1]', 5: '[MQTT-3.3.4-1]' },
  async (level) => {
    const topic = uniqueName();
    const client = await connected(level);
    await publish(client, { topic, qos: 0 });
    client.send(publishPacket({ topic, qos: 1, packetId: 10 }));
    await client.expectPacket({ type: 'puback', packetId: 10 });
    client.send(publishPacket({ topic, qos: 2, packetId: 11 }));
    await client.expectPacket({ type: 'pubrec', packetId: 11 });
    client.send(ackPacket('pubrel', 11));
    await client.expectPacket({ type: 'pubcomp', packetId: 11 });
    await client.expectNothing();
  },
);

conversation(
  'overlapping subscriptions deliver at the highest QoS among them',
  { 4: '[MQTT-3.3.5-1]', 5: '[MQTT-3.3.4-2]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, [
      { filter: `${topic}/#`, qos: 0 },
      { filter: `${topic}/+`, qos: 2 },
      { filter: `${topic}/a`, qos: 1 },
    ]);
    const publisher = await connected(level);
    await publish(publisher, { topic: `${topic}/a`, qos: 2, payload: 'x' });
    await publish(publisher, { topic: `${topic}/marker/b`, payload: 'marker' });
    // One copy with QoS 2, or a copy for each subscription: both are in order.
    const qualities: number[] = [];
    for (;;) {
      const packet = await subscriber.expect('publish');
      if (packet.payload.toString() === 'marker') break;
      qualities.push(packet.qos);
    }
    expect([[2], [0, 1, 2]]).toContainEqual(qualities.sort());
  },
);

conversation(
  'subscription identifiers go with the messages of their subscriptions',
  { 5: '[MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT-3.3.4-5]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await connected(level);
    await subscribe(subscriber, { filter: `${topic}/#`, qos: 1 }, 1);
    await subscribe(subscriber, { filter: `${topic}/a/+`, qos: 0 }, 268_435_455);
    await subscribe(subscriber, { filter: `${topic}/a/b`, qos: 0 });
    const publisher = await connected(level);
    await publish(publisher, { topic: `${topic}/a/b`, qos: 1, payload: 'x' });
    await publish(publisher, { topic: `${topic}/marker`, qos: 1, payload: 'marker' });
    const copies: number[][] = [];
    for (;;) {
      const packet = await receive(subscriber, {});
      const identifiers = (packet.properties.subscriptionIdentifier ?? []).sort();
      if (packet.payload.toString() === 'marker') {
        expect(identifiers).toEqual([1]);
        break;
      }
      copies.push(identifiers);
    }
    copies.sort((left, right) => (left[0] ?? 0) - (right[0] ?? 0));
    expect([[[1, 268_435_455]], [[], [1], [268_435_455]]]).toContainEqual(copies);
  },
);

conversation('subscribing anew replaces the subscription identifier', { 5: '[MQTT-3.8.4-3]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await connected(level);
  const publisher = await connected(level);
  await subscribe(subscriber, { filter: topic }, 1);
  await subscribe(subscriber, { filter: topic }, 2);
  await publish(publisher, { topic });
  expect((await receive(subscriber, { topic })).properties.subscriptionIdentifier).toEqual([2]);
  await subscribe(subscriber, { filter: topic });
  await publish(publisher, { topic });
  expect((await receive(subscriber, { topic })).properties.subscriptionIdentifier ?? []).toEqual([]);
});

conversation('a retained message carries the subscription identifier', { 5: '[MQTT-3.3.4-3]' }, async (level) => {
  const topic = uniqueName();
  await publish(await connected(level), { topic, retain: true, qos: 1, payload: 'kept' });
  const subscriber = await connected(level);
  subscriber.send(subscribePacket([{ filter: topic }], 1, 77));
  await subscriber.expect('suback');
  expect((await receive(subscriber, { topic, retain: true })).properties.subscriptionIdentifier).toEqual([77]);
});

conversation(
  'a PUBLISH with a subscription identifier closes the connection',
  { 5: '[MQTT-3.3.4-6]' },
  async (level) => {
    const client = await connected(level);
    client.send(rawPacket(0x30, prefixed(uniqueName()), properties(hex('0b 01'))));
    await expectDisconnected(client, 0x82, 0x81);
  },
);

conversation(
  'the broker keeps to the receive maximum of the client and still answers everything else',
  { 5: '[MQTT-3.3.4-9] [MQTT-3.3.4-10] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-4.9.0-3]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, { filter: topic, qos: 2 }, { properties: { receiveMaximum: 2 } });
    const publisher = await connected(level);
    for (const [count, qos] of ([1, 2, 1, 2, 1] as const).entries()) {
      await publish(publisher, { topic, qos, payload: `${count}` });
    }
    const first = await subscriber.expectPacket({ type: 'publish', qos: 1, payload: Buffer.from('0') });
    const second = await subscriber.expectPacket({ type: 'publish', qos: 2, payload: Buffer.from('1') });
    await subscriber.expectNothing();
    subscriber.send(subscribePacket([{ filter: `${topic}/other` }], 9));
    await subscriber.expectPacket({ type: 'suback', packetId: 9 });
    subscriber.send(unsubscribePacket([`${topic}/other`], 10));
    await subscriber.expectPacket({ type: 'unsuback', packetId: 10 });
    subscriber.send(publishPacket({ topic: `${topic}/unrelated`, qos: 1, packetId: 11 }));
    await subscriber.expectPacket({ type: 'puback', packetId: 11 });
    subscriber.send(ackPacket('puback', first.packetId));
    const third = await subscriber.expectPacket({ type: 'publish', payload: Buffer.from('2') });
    // PUBREC of 0x80 or above frees a place at once.
    subscriber.send(ackPacket('pubrec', second.packetId, 0x97));
    const fourth = await subscriber.expectPacket({ type: 'publish', qos: 2, payload: Buffer.from('3') });
    subscriber.send(ackPacket('puback', third.packetId));
    const fifth = await subscriber.expectPacket({ type: 'publish', payload: Buffer.from('4') });
    subscriber.send(ackPacket('puback', fifth.packetId), ackPacket('pubrec', fourth.packetId));
    await subscriber.expectPacket({ type: 'pubrel', packetId: fourth.packetId });
    await subscriber.expectNothing();
  },
);

conversation(
  'a QoS 2 message keeps its place in the receive maximum until PUBCOMP',
  { 5: '[MQTT-3.3.4-9] [MQTT-4.9.0-2]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, { filter: topic, qos: 2 }, { properties: { receiveMaximum: 2 } });
    const publisher = await connected(level);
    for (const payload of ['one', 'two', 'three']) await publish(publisher, { topic, qos: 2, payload });
    const { packetId } = await subscriber.expectPacket({ type: 'publish', payload: Buffer.from('one') });
    await subscriber.expectPacket({ type: 'publish', payload: Buffer.from('two') });
    subscriber.send(ackPacket('pubrec', packetId));
    await subscriber.expectPacket({ type: 'pubrel', packetId });
    await subscriber.expectNothing();
    subscriber.send(ackPacket('pubcomp', packetId));
    await subscriber.expectPacket({ type: 'publish', payload: Buffer.from('three') });
  },
);

conversation('QoS 0 messages pass while the receive maximum is reached', { 5: '[MQTT-4.9.0-3]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, { filter: topic, qos: 1 }, { properties: { receiveMaximum: 1 } });
  const publisher = await connected(level);
  await publish(publisher, { topic, qos: 1, payload: 'blocks' });
  await subscriber.expect('publish');
  await publish(publisher, { topic, qos: 0, payload: 'passes' });
  await subscriber.expectPacket({ type: 'publish', qos: 0, payload: Buffer.from('passes') });
});

conversation(
  'more messages than receive maximum close the connection',
  { 5: '[MQTT-3.3.4-7]' },
  async (level, skip) => {
    const { client, connack } = await connectedWith(level);
    const receiveMaximum = connack.properties.receiveMaximum ?? 65_535;
    if (receiveMaximum > 2_000) skip('the receive maximum is too large to reach it');
    const topic = uniqueName();
    for (let packetId = 1; packetId <= receiveMaximum; packetId += 1) {
      client.send(publishPacket({ topic, qos: 2, packetId }));
    }
    for (let packetId = 1; packetId <= receiveMaximum; packetId += 1) {
      await client.expectPacket({ type: 'pubrec', packetId });
    }
    client.send(publishPacket({ topic, qos: 2, packetId: receiveMaximum + 1 }));
    await expectDisconnected(client, 0x93);
  },
);

conversation(
  'no packet above the maximum packet size of the client is sent, and what follows still comes',
  { 5: '[MQTT-3.1.2-24] [MQTT-3.1.2-25]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, topic, { properties: { maximumPacketSize: 200 } });
    const publisher = await connected(level);
    await publish(publisher, { topic, payload: Buffer.alloc(300) });
    await publish(publisher, { topic, payload: 'small' });
    await receive(subscriber, { topic, payload: 'small' });
  },
);

conversation(
  'a message too large for the client takes no place in its receive maximum',
  { 5: '[MQTT-3.1.2-25]' },
  async (level) => {
    for (const qos of [1, 2] as const) {
      const topic = uniqueName();
      const properties = { maximumPacketSize: 200, receiveMaximum: 1 };
      const subscriber = await subscribed(level, { filter: topic, qos }, { properties });
      const publisher = await connected(level);
      await publish(publisher, { topic, qos, payload: Buffer.alloc(300) });
      await publish(publisher, { topic, qos, payload: 'small' });
      await receive(subscriber, { topic, qos, payload: 'small' });
    }
  },
);

conversation(
  'a message as large as the client takes is delivered, one byte more is not',
  { 5: '[MQTT-3.1.2-24]' },
  async (level) => {
    const topic = uniqueName();
    const maximumPacketSize = 100;
    const subscriber = await subscribed(level, topic, { properties: { maximumPacketSize } });
    const publisher = await connected(level);
    const header = 2 + 2 + topic.length + 1;
    await publish(publisher, { topic, payload: Buffer.alloc(maximumPacketSize - header + 1) });
    await publish(publisher, { topic, payload: Buffer.alloc(maximumPacketSize - header) });
    const { bytes } = await subscriber.nextFrame();
    expect(bytes.length).toBe(maximumPacketSize);
  },
);

conversation(
  'a publish that is not allowed is acknowledged or closes the connection, and is not delivered',
  { 4: '[MQTT-3.3.5-2]' },
  async (level) => {
    const topic = `$SYS/${uniqueName()}`;
    const subscriber = await subscribed(level, [{ filter: topic }, { filter: topic.slice(5) }]);
    const client = await connected(level);
    client.send(publishPacket({ topic, qos: 1, payload: 'not allowed' }));
    if ((await client.next().catch(() => undefined)) === undefined) await client.expectClosed();
    await expectOnlyMarker(subscriber, await connected(level), topic.slice(5));
  },
);

conversation('a message expiry interval of 0 is in order', { 5: '[MQTT-3.3.2-5]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, `${topic}/#`);
  const publisher = await connected(level);
  publisher.send(rawPacket(0x30, prefixed(topic), properties(hex('02'), uint32(0)), Buffer.from('now or never')));
  publisher.send(publishPacket({ topic: `${topic}/marker`, payload: 'marker' }));
  const first = await receive(subscriber, {});
  if (first.topic === topic) await receive(subscriber, { payload: 'marker' });
});
