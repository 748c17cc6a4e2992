import type { Packet } from '@dunlin/protocol';
import { hex, prefixed, properties, rawPacket } from '@dunlin/testkit';
import { expect } from 'vitest';
import {
  connected,
  connectedWith,
  expectDisconnected,
  publish,
  receive,
  subscribe,
  subscribed,
} from '../src/connected-client.ts';
import { brokerUnderTest, conversation } from '../src/conversation.ts';
import { ackPacket, publishPacket, subscribePacket, uniqueName, unsubscribePacket } from '../src/packets-to-send.ts';

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
    expect(brokerUnderTest().name === 'dunlin' ? [[2]] : [[2], [0, 1, 2]]).toContainEqual(qualities.sort());
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
    const one = [[1, 268_435_455]];
    expect(brokerUnderTest().name === 'dunlin' ? [one] : [one, [[], [1], [268_435_455]]]).toContainEqual(copies);
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
  await subscriber.expectAmong('suback');
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
    for (const [count, qos] of ([1, 2, 1, 2] as const).entries()) {
      await publish(publisher, { topic, qos, payload: `${count}` });
    }
    const first = await subscriber.expectPacket({ type: 'publish', payload: Buffer.from('0') });
    const { packetId } = await subscriber.expectPacket({ type: 'publish', payload: Buffer.from('1') });
    subscriber.send(ackPacket('puback', first.packetId));
    await subscriber.expectPacket({ type: 'publish', payload: Buffer.from('2') });
    subscriber.send(ackPacket('pubrec', packetId));
    await subscriber.expectPacket({ type: 'pubrel', packetId });
    await subscriber.expectNothing();
    subscriber.send(ackPacket('pubcomp', packetId));
    await subscriber.expectPacket({ type: 'publish', payload: Buffer.from('3') });
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
  'many more messages than receive maximum close the connection',
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
    // A broker may bear a burst: it cannot know how much of it was written before the first PUBREC was read.
    let answer: Packet = { type: 'pingresp' };
    for (let packetId = receiveMaximum + 1; answer.type !== 'disconnect'; packetId += 1) {
      expect(packetId).toBeLessThanOrEqual(8 * receiveMaximum + 1);
      client.send(publishPacket({ topic, qos: 2, packetId }));
      answer = await client.next();
    }
    expect(answer.reasonCode).toBe(0x93);
    await client.expectClosed();
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
