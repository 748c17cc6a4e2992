import { connected, expectOnlyMarker, publish, receive, subscribe, subscribed } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { publishPacket, subscribePacket, uniqueName } from '../src/packets-to-send.ts';

conversation(
  'a retained message replaces the one before and reaches later subscribers with its QoS',
  {
    4: '[MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-8]',
    5: '[MQTT-3.3.1-5] [MQTT-3.3.1-9]',
  },
  async (level) => {
    const topic = uniqueName();
    const publisher = await connected(level);
    for (const qos of [1, 2, 0] as const) {
      await publish(publisher, { topic, retain: true, qos, payload: `with QoS ${qos}` });
      // Nothing says when one of QoS 0 is kept, and the subscriber may come to another part of the broker: one behind it that is acknowledged does.
      if (qos === 0) await publish(publisher, { topic: `${topic} behind`, retain: true, qos: 1, payload: 'behind' });
      const subscriber = await subscribed(level, { filter: `${topic}/#`, qos: 2 });
      await receive(subscriber, { topic, retain: true, qos, payload: `with QoS ${qos}` });
      await expectOnlyMarker(subscriber, publisher, `${topic}/marker`);
    }
  },
);

conversation(
  'a wildcard subscription gets the retained message of every topic that matches',
  { 4: '[MQTT-3.3.1-6]', 5: '[MQTT-3.3.1-9]' },
  async (level) => {
    const topic = uniqueName();
    const publisher = await connected(level);
    for (const name of ['a', 'b', 'c']) {
      await publish(publisher, { topic: `${topic}/${name}/x`, retain: true, qos: 1, payload: name });
      await publish(publisher, { topic: `${topic}/${name}/y`, retain: true, qos: 1, payload: 'does not match' });
    }
    const subscriber = await subscribed(level, `${topic}/+/x`);
    const seen = [];
    for (let count = 0; count < 3; count += 1)
      seen.push((await receive(subscriber, { retain: true })).payload.toString());
    if (seen.sort().join() !== 'a,b,c') throw new Error(`retained messages: ${seen}`);
    await expectOnlyMarker(subscriber, publisher, `${topic}/marker/x`);
  },
);

conversation('a retained message of QoS 0 discards the one before', { 4: '[MQTT-3.3.1-7]' }, async (level) => {
  const topic = uniqueName();
  const publisher = await connected(level);
  await publish(publisher, { topic, retain: true, qos: 1, payload: 'old' });
  await publish(publisher, { topic, retain: true, qos: 0, payload: 'new' });
  await publish(publisher, { topic: `${topic} behind`, retain: true, qos: 1, payload: 'behind' });
  const subscriber = await subscribed(level, topic);
  // The broker may have chosen not to keep a QoS 0 message; the old one must not come.
  publisher.send(publishPacket({ topic, payload: 'marker' }));
  const first = await receive(subscriber, { topic });
  if (first.retain) {
    if (first.payload.toString() !== 'new') throw new Error('the older message was retained');
    await receive(subscriber, { topic, payload: 'marker' });
  }
});

conversation(
  'a forwarded message is not marked as retained',
  { 4: '[MQTT-3.3.1-9]', 5: '[MQTT-3.3.1-12]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, { filter: topic, retainAsPublished: false });
    const publisher = await connected(level);
    await publish(publisher, { topic, retain: true, payload: 'x' });
    await receive(subscriber, { topic, retain: false, payload: 'x' });
    await publish(publisher, { topic, retain: false, payload: 'y' });
    await receive(subscriber, { topic, retain: false, payload: 'y' });
  },
);

conversation('with retain as published a forwarded message keeps its mark', { 5: '[MQTT-3.3.1-13]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, { filter: topic, retainAsPublished: true });
  const publisher = await connected(level);
  await publish(publisher, { topic, retain: true, payload: 'x' });
  await receive(subscriber, { topic, retain: true, payload: 'x' });
  await publish(publisher, { topic, retain: false, payload: 'y' });
  await receive(subscriber, { topic, retain: false, payload: 'y' });
});

conversation(
  'an empty retained message is passed on, removes the retained one and is not kept',
  {
    4: '[MQTT-3.3.1-10] [MQTT-3.3.1-11]',
    5: '[MQTT-3.3.1-6] [MQTT-3.3.1-7]',
  },
  async (level) => {
    const topic = uniqueName();
    const publisher = await connected(level);
    await publish(publisher, { topic, retain: true, qos: 1, payload: 'kept' });
    const established = await subscribed(level, topic);
    await receive(established, { topic, retain: true, payload: 'kept' });
    await publish(publisher, { topic, retain: true, qos: 1 });
    await receive(established, { topic, retain: false, payload: '' });
    const later = await subscribed(level, topic);
    await expectOnlyMarker(later, publisher, topic);
  },
);

conversation(
  'a message without RETAIN leaves the retained one as it is',
  { 4: '[MQTT-3.3.1-12]', 5: '[MQTT-3.3.1-8]' },
  async (level) => {
    const topic = uniqueName();
    const publisher = await connected(level);
    await publish(publisher, { topic, qos: 1, payload: 'not kept' });
    const early = await subscribed(level, topic);
    await expectOnlyMarker(early, publisher, topic);
    await publish(publisher, { topic, retain: true, qos: 1, payload: 'kept' });
    await publish(publisher, { topic, qos: 1, payload: 'not kept' });
    await publish(publisher, { topic, qos: 1, payload: '' });
    const later = await subscribed(level, topic);
    await receive(later, { topic, retain: true, payload: 'kept' });
    await expectOnlyMarker(later, publisher, topic);
  },
);

conversation(
  'retain handling 0 sends retained messages at every subscribe, 1 at the first, 2 never',
  { 5: '[MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]' },
  async (level) => {
    const topic = uniqueName();
    const publisher = await connected(level);
    await publish(publisher, { topic, retain: true, qos: 1, payload: 'kept' });
    for (const [retainHandling, timesSeen] of [
      [0, 2],
      [1, 1],
      [2, 0],
    ] as const) {
      const subscriber = await connected(level);
      for (let count = 0; count < 2; count += 1) {
        subscriber.send(subscribePacket([{ filter: topic, retainHandling }]));
        await subscriber.expectAmong('suback');
        if (count < timesSeen) await receive(subscriber, { topic, retain: true, payload: 'kept' });
        await expectOnlyMarker(subscriber, publisher, topic);
      }
    }
  },
);

conversation('retain handling 1 sends again after UNSUBSCRIBE', { 5: '[MQTT-3.3.1-10]' }, async (level) => {
  const topic = uniqueName();
  await publish(await connected(level), { topic, retain: true, qos: 1, payload: 'kept' });
  const subscriber = await subscribed(level, { filter: topic, retainHandling: 1 });
  await receive(subscriber, { topic, retain: true, payload: 'kept' });
  subscriber.send({ type: 'unsubscribe', packetId: 2, filters: [topic], properties: {} });
  await subscriber.expectPacket({ type: 'unsuback', packetId: 2 });
  await subscribe(subscriber, { filter: topic, retainHandling: 1 });
  await receive(subscriber, { topic, retain: true, payload: 'kept' });
});

conversation(
  'retained messages keep their properties and lose the time they waited',
  { 5: '[MQTT-3.3.1-5] [MQTT-3.3.2-6]' },
  async (level) => {
    const topic = uniqueName();
    const properties = {
      contentType: 'text/plain',
      messageExpiryInterval: 60,
      userProperties: [['k', 'v']] as [string, string][],
    };
    await publish(await connected(level), { topic, retain: true, qos: 1, payload: 'kept', properties });
    const subscriber = await subscribed(level, topic);
    const packet = await receive(subscriber, { topic, retain: true });
    const { messageExpiryInterval = 0, contentType, userProperties } = packet.properties;
    if (contentType !== 'text/plain' || userProperties?.join() !== 'k,v') throw new Error('properties were lost');
    if (messageExpiryInterval < 50 || messageExpiryInterval > 60)
      throw new Error(`expires in ${messageExpiryInterval} s`);
  },
);
