import { hex, prefixed, properties, rawPacket, uint16, uint32 } from '@dunlin/testkit';
import { expect } from 'vitest';
import {
  connected,
  connectedWith,
  expectDisconnected,
  leave,
  publish,
  receive,
  subscribed,
} from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { durable, publishPacket, uniqueName } from '../src/packets-to-send.ts';

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
    const published = performance.now();
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
    // It has waited for the two seconds of the will at least, and for as long as all of this took at most; a broker may count in whole seconds.
    const secondsMax = Math.ceil((performance.now() - published) / 1000);
    expect(packet.properties.messageExpiryInterval).toBeLessThanOrEqual(59);
    expect(packet.properties.messageExpiryInterval).toBeGreaterThanOrEqual(60 - secondsMax);
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

conversation('a message expiry interval of 0 is in order', { 5: '[MQTT-3.3.2-5]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, `${topic}/#`);
  const publisher = await connected(level);
  publisher.send(rawPacket(0x30, prefixed(topic), properties(hex('02'), uint32(0)), Buffer.from('now or never')));
  publisher.send(publishPacket({ topic: `${topic}/marker`, payload: 'marker' }));
  const first = await receive(subscriber, {});
  if (first.topic === topic) await receive(subscriber, { payload: 'marker' });
});
