import { expect } from 'vitest';
import { connected, expectOnlyMarker, leave, publish, receive, subscribed } from '../src/connected-client.ts';
import { brokerUnderTest, conversation } from '../src/conversation.ts';
import { ackPacket, durable, publishPacket, uniqueName } from '../src/packets-to-send.ts';

conversation('QoS 0 goes out once, with DUP 0', { 4: '[MQTT-4.3.1-1]', 5: '[MQTT-4.3.1-1]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, { filter: topic, qos: 2 });
  const publisher = await connected(level);
  await publish(publisher, { topic, payload: 'x' });
  await receive(subscriber, { topic, qos: 0, dup: false, payload: 'x' });
  await expectOnlyMarker(subscriber, publisher, topic);
});

conversation(
  'QoS 1 goes out with an identifier and DUP 0, and is unacknowledged until PUBACK',
  { 4: '[MQTT-4.3.2-1]', 5: '[MQTT-4.3.2-2] [MQTT-4.3.2-3]' },
  async (level) => {
    const topic = uniqueName();
    const clientId = uniqueName();
    const subscriber = await subscribed(level, { filter: topic, qos: 1 }, durable(level, { clientId }));
    const publisher = await connected(level);
    await publish(publisher, { topic, qos: 1, payload: 'one' });
    await publish(publisher, { topic, qos: 1, payload: 'two' });
    const first = await subscriber.expectPacket({ type: 'publish', qos: 1, dup: false, payload: Buffer.from('one') });
    const second = await subscriber.expectPacket({ type: 'publish', qos: 1, dup: false, payload: Buffer.from('two') });
    expect(first.packetId).not.toBe(0);
    subscriber.send(ackPacket('puback', first.packetId));
    await subscriber.expectNothing();
    await subscriber.drop();
    const again = await connected(level, durable(level, { clientId }));
    await receive(again, { payload: 'two', dup: true, packetId: second.packetId });
    await expectOnlyMarker(again, publisher, topic);
  },
);

conversation(
  'a QoS 1 message is answered with PUBACK, and the identifier then means a new message',
  { 4: '[MQTT-4.3.2-2]', 5: '[MQTT-4.3.2-4] [MQTT-4.3.2-5]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, { filter: topic, qos: 1 });
    const publisher = await connected(level);
    await publish(publisher, { topic, qos: 1, packetId: 9, payload: 'one' });
    await publish(publisher, { topic, qos: 1, packetId: 9, dup: true, payload: 'two' });
    await receive(subscriber, { payload: 'one' });
    await receive(subscriber, { payload: 'two' });
  },
);

conversation(
  'QoS 2 goes out with an identifier and DUP 0, PUBREC is answered with PUBREL, and only that is sent again',
  {
    4: '[MQTT-4.3.3-1]',
    5: '[MQTT-4.3.3-2] [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6]',
  },
  async (level) => {
    const topic = uniqueName();
    const clientId = uniqueName();
    let subscriber = await subscribed(level, { filter: topic, qos: 2 }, durable(level, { clientId }));
    const publisher = await connected(level);
    await publish(publisher, { topic, qos: 2, payload: 'x' });
    const { packetId } = await subscriber.expectPacket({ type: 'publish', topic, qos: 2, dup: false });
    await subscriber.drop();
    subscriber = await connected(level, durable(level, { clientId }));
    await subscriber.expectPacket({ type: 'publish', topic, qos: 2, dup: true, packetId });
    subscriber.send(ackPacket('pubrec', packetId));
    await subscriber.expectPacket({ type: 'pubrel', packetId });
    await subscriber.drop();
    subscriber = await connected(level, durable(level, { clientId }));
    await subscriber.expectPacket({ type: 'pubrel', packetId });
    subscriber.send(ackPacket('pubcomp', packetId));
    await subscriber.expectNothing();
    await subscriber.drop();
    subscriber = await connected(level, durable(level, { clientId }));
    await expectOnlyMarker(subscriber, publisher, topic);
  },
);

conversation(
  'a QoS 2 message is delivered once however often it comes before PUBREL, and its identifier is free after PUBCOMP',
  {
    4: '[MQTT-4.3.3-2]',
    5: '[MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12]',
  },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, { filter: topic, qos: 2 });
    const publisher = await connected(level);
    publisher.send(publishPacket({ topic, qos: 2, packetId: 3, payload: 'once' }));
    await publisher.expectPacket({ type: 'pubrec', packetId: 3 });
    publisher.send(publishPacket({ topic, qos: 2, packetId: 3, dup: true, payload: 'once' }));
    await publisher.expectPacket({ type: 'pubrec', packetId: 3 });
    publisher.send(ackPacket('pubrel', 3));
    await publisher.expectPacket({ type: 'pubcomp', packetId: 3 });
    await receive(subscriber, { payload: 'once', qos: 2 });
    await publish(publisher, { topic, qos: 2, packetId: 3, payload: 'new' });
    await receive(subscriber, { payload: 'new', qos: 2 });
    await expectOnlyMarker(subscriber, publisher, topic);
  },
);

conversation(
  'after a PUBREC that refuses, the identifier means a new message',
  { 5: '[MQTT-4.3.3-9]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, { filter: topic, qos: 2 });
    const publisher = await connected(level);
    publisher.send(publishPacket({ topic: `$SYS/${topic}`, qos: 2, packetId: 3 }));
    const { reasonCode } = await publisher.expect('pubrec');
    // The text lets a broker take it; the conversation then shows less.
    if (brokerUnderTest().name === 'dunlin') expect(reasonCode).toBe(0x87);
    if (reasonCode < 0x80) {
      publisher.send(ackPacket('pubrel', 3));
      await publisher.expectPacket({ type: 'pubcomp', packetId: 3 });
    }
    await publish(publisher, { topic, qos: 2, packetId: 3, payload: 'new' });
    await receive(subscriber, { payload: 'new' });
  },
);

/** Runs out when the broker says that two seconds are over: when it publishes a will that was delayed by as much. */
async function twoSecondsOfTheBroker(): Promise<void> {
  const topic = uniqueName();
  const listener = await subscribed(5, topic);
  const properties = { willDelayInterval: 2 };
  const will = { topic, payload: Buffer.from('now'), qos: 0 as const, retain: false, properties };
  const client = await connected(5, durable(5, { will }));
  await client.drop();
  await receive(listener, { topic });
}

conversation('a message that was sent does not expire any more', { 5: '[MQTT-4.3.3-7]' }, async (level) => {
  const topic = uniqueName();
  const clientId = uniqueName();
  const subscriber = await subscribed(level, { filter: topic, qos: 2 }, durable(level, { clientId }));
  const publisher = await connected(level);
  await publish(publisher, { topic, qos: 2, payload: 'x', properties: { messageExpiryInterval: 1 } });
  const { packetId } = await subscriber.expectPacket({ type: 'publish', payload: Buffer.from('x') });
  await subscriber.drop();
  await twoSecondsOfTheBroker();
  const again = await connected(level, durable(level, { clientId }));
  await again.expectPacket({ type: 'publish', packetId, dup: true, payload: Buffer.from('x') });
  again.send(ackPacket('pubrec', packetId));
  await again.expectPacket({ type: 'pubrel', packetId });
  again.send(ackPacket('pubcomp', packetId));
  await leave(again);
});

conversation('the handshake goes on when the message has expired', { 5: '[MQTT-4.3.3-13]' }, async (level) => {
  const client = await connected(level);
  const properties = { messageExpiryInterval: 1 };
  client.send(publishPacket({ topic: uniqueName(), qos: 2, packetId: 8, payload: 'x', properties }));
  await client.expectPacket({ type: 'pubrec', packetId: 8 });
  await twoSecondsOfTheBroker();
  client.send(ackPacket('pubrel', 8));
  await client.expectPacket({ type: 'pubcomp', packetId: 8, reasonCode: 0 });
});
