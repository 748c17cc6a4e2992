import { hex, prefixed, properties, rawPacket, uint16 } from '@dunlin/testkit';
import {
  connected,
  expectDisconnected,
  expectOnlyMarker,
  publish,
  receive,
  subscribed,
} from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { ackPacket, durable, publishPacket, uniqueName } from '../src/packets-to-send.ts';

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
