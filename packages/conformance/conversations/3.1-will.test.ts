import type { Will } from '@dunlin/protocol';
import { hex, prefixed, rawConnect } from '@dunlin/testkit';
import { expect } from 'vitest';
import {
  connected,
  connectedWith,
  expectOnlyMarker,
  expectRefused,
  leave,
  open,
  publish,
  receive,
  subscribe,
  subscribed,
} from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { connectPacket, disconnectPacket, durable, uniqueName } from '../src/packets-to-send.ts';

function willTo(topic: string, will: Partial<Will> = {}): Will {
  return { topic, payload: Buffer.from('gone'), qos: 0, retain: false, properties: {}, ...will };
}

conversation(
  'the will is published when the connection is dropped',
  { 4: '[MQTT-3.1.2-8]', 5: '[MQTT-3.1.2-7] [MQTT-3.1.2-8]' },
  async (level) => {
    for (const qos of [0, 1, 2] as const) {
      const topic = uniqueName();
      const subscriber = await subscribed(level, { filter: topic, qos: 2 });
      const client = await connected(level, { will: willTo(topic, { qos }) });
      await client.drop();
      await receive(subscriber, { topic, qos, payload: 'gone' });
    }
  },
);

conversation(
  'the will is published when a protocol error ends the connection',
  { 4: '[MQTT-3.1.2-8]', 5: '[MQTT-3.1.2-8]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, topic);
    const client = await connected(level, { will: willTo(topic) });
    client.send(hex('80 00'));
    await receive(subscriber, { topic, payload: 'gone' });
  },
);

conversation(
  'the will is published when the keep alive runs out',
  { 4: '[MQTT-3.1.2-8] [MQTT-3.1.2-24]', 5: '[MQTT-3.1.2-8] [MQTT-3.1.2-22]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, topic);
    const { connack } = await connectedWith(level, { keepAliveSeconds: 1, will: willTo(topic) });
    await receive(subscriber, { topic, payload: 'gone' }, (connack.properties.serverKeepAlive ?? 1) * 1_500 + 8_000);
  },
);

conversation(
  'DISCONNECT discards the will',
  {
    4: '[MQTT-3.1.2-10] [MQTT-3.14.4-3]',
    5: '[MQTT-3.1.2-10] [MQTT-3.14.4-3]',
  },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, topic);
    await leave(await connected(level, { will: willTo(topic) }));
    await expectOnlyMarker(subscriber, await connected(level), topic);
  },
);

conversation('DISCONNECT 0x04 asks for the will', { 5: '[MQTT-3.1.2-8]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, topic);
  await leave(await connected(level, { will: willTo(topic) }), disconnectPacket(0x04));
  await receive(subscriber, { topic, payload: 'gone' });
});

conversation('a will is published once only', { 4: '[MQTT-3.1.2-10]', 5: '[MQTT-3.1.2-10]' }, async (level) => {
  const topic = uniqueName();
  const clientId = uniqueName();
  const subscriber = await subscribed(level, topic);
  const client = await connected(level, durable(level, { clientId, will: willTo(topic) }));
  await client.drop();
  await receive(subscriber, { topic, payload: 'gone' });
  const again = await connected(level, durable(level, { clientId }));
  await again.drop();
  await expectOnlyMarker(subscriber, await connected(level), topic);
});

conversation(
  'without the will flag nothing is published when the connection drops',
  { 4: '[MQTT-3.1.2-12]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, `${topic}/#`);
    const client = await connected(level);
    await client.drop();
    await expectOnlyMarker(subscriber, await connected(level), `${topic}/marker`);
  },
);

conversation(
  'the fields of the will must be there exactly when the will flag says so',
  { 4: '[MQTT-3.1.2-9] [MQTT-3.1.2-11] [MQTT-3.1.3-1]', 5: '[MQTT-3.1.2-9] [MQTT-3.1.3-1]' },
  async (level) => {
    const id = prefixed(uniqueName());
    const none = level === 5 ? [hex('00')] : [];
    const wrong = [
      { flags: 0x06, payload: id },
      { flags: 0x06, payload: Buffer.concat([id, ...none, prefixed('topic')]) },
      { flags: 0x02, payload: Buffer.concat([id, ...none, prefixed('topic'), prefixed('gone')]) },
    ];
    for (const { flags, payload } of wrong) {
      const client = await open(level);
      client.send(rawConnect({ level, flags, payload }));
      await expectRefused(client, [0x81, 0x82]);
    }
  },
);

const wrongWillFlags = [
  {
    says: 'will QoS 1 without the will flag is refused',
    flags: 0x0a,
    4: '[MQTT-3.1.2-11] [MQTT-3.1.2-13]',
    5: '[MQTT-3.1.2-11]',
  },
  {
    says: 'will QoS 2 without the will flag is refused',
    flags: 0x12,
    4: '[MQTT-3.1.2-11] [MQTT-3.1.2-13]',
    5: '[MQTT-3.1.2-11]',
  },
  {
    says: 'will retain without the will flag is refused',
    flags: 0x22,
    4: '[MQTT-3.1.2-11] [MQTT-3.1.2-15]',
    5: '[MQTT-3.1.2-13]',
  },
  { says: 'will QoS 3 is refused', flags: 0x1e, 4: '[MQTT-3.1.2-14]', 5: '[MQTT-3.1.2-12]' },
];

for (const { says, flags, ...cited } of wrongWillFlags) {
  conversation(says, cited, async (level) => {
    const client = await open(level);
    const will = (flags & 0x04) === 0 ? [] : [...(level === 5 ? [hex('00')] : []), prefixed('t'), prefixed('gone')];
    client.send(rawConnect({ level, flags, payload: Buffer.concat([prefixed(uniqueName()), ...will]) }));
    await expectRefused(client, [0x81]);
  });
}

conversation(
  'without will retain the will is not retained',
  { 4: '[MQTT-3.1.2-16]', 5: '[MQTT-3.1.2-14]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, topic);
    const client = await connected(level, { will: willTo(topic) });
    await client.drop();
    await receive(subscriber, { topic, retain: false, payload: 'gone' });
    const later = await subscribed(level, topic);
    await expectOnlyMarker(later, await connected(level), topic);
  },
);

conversation('with will retain the will is retained', { 4: '[MQTT-3.1.2-17]', 5: '[MQTT-3.1.2-15]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, topic);
  const client = await connected(level, { will: willTo(topic, { retain: true, qos: 1 }) });
  await client.drop();
  await receive(subscriber, { topic, retain: false, payload: 'gone' });
  const later = await subscribed(level, { filter: topic, qos: 1 });
  await receive(later, { topic, retain: true, qos: 1, payload: 'gone' });
});

conversation('a will waits for its delay', { 5: '[MQTT-3.1.2-8]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, topic);
  const client = await connected(
    level,
    durable(level, { will: willTo(topic, { properties: { willDelayInterval: 1 } }) }),
  );
  const dropped = performance.now();
  await client.drop();
  await receive(subscriber, { topic, payload: 'gone' });
  expect(performance.now() - dropped).toBeGreaterThan(900);
});

conversation('the end of the session ends the will delay', { 5: '[MQTT-3.1.2-8]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, topic);
  const client = await connected(level, {
    will: willTo(topic, { properties: { willDelayInterval: 60 } }),
    properties: { sessionExpiryInterval: 0 },
  });
  await client.drop();
  await receive(subscriber, { topic, payload: 'gone' });
});

conversation('a new connection within the will delay cancels the will', { 5: '[MQTT-3.1.3-9]' }, async (level) => {
  const topic = uniqueName();
  const clientId = uniqueName();
  const subscriber = await subscribed(level, topic);
  const will = willTo(topic, { properties: { willDelayInterval: 1 } });
  const client = await connected(level, durable(level, { clientId, will }));
  await client.drop();
  const again = await connectedWith(level, durable(level, { clientId }));
  expect(again.connack.sessionPresent).toBe(true);
  // A will of the same delay, left by another client later, tells that the time of the first is over.
  const other = await connected(
    level,
    durable(level, { will: willTo(topic, { payload: Buffer.from('later'), properties: { willDelayInterval: 1 } }) }),
  );
  await other.drop();
  await receive(subscriber, { topic, payload: 'later' });
});

conversation(
  'a will keeps its properties and the order of its user properties',
  { 5: '[MQTT-3.1.3-10]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, topic);
    const properties = {
      payloadFormatIndicator: 1,
      messageExpiryInterval: 60,
      contentType: 'text/plain',
      responseTopic: `${topic}/answer`,
      correlationData: Buffer.from([0, 1, 2, 255]),
      userProperties: [
        ['b', '2'],
        ['a', '1'],
        ['b', '1'],
      ] as [string, string][],
    };
    const client = await connected(level, { will: willTo(topic, { properties }) });
    await client.drop();
    const packet = await receive(subscriber, { topic });
    const { messageExpiryInterval, ...rest } = properties;
    expect(packet.properties).toMatchObject(rest);
    expect(packet.properties.messageExpiryInterval).toBeOneOf([messageExpiryInterval, messageExpiryInterval - 1]);
  },
);

conversation(
  'a takeover publishes the will of the older connection when its session ends with it',
  { 5: '[MQTT-3.1.2-8]' },
  async (level) => {
    const topic = uniqueName();
    const clientId = uniqueName();
    const subscriber = await subscribed(level, topic);
    await connected(level, { clientId, will: willTo(topic) });
    await connected(level, { clientId });
    await receive(subscriber, { topic, payload: 'gone' });
  },
);

conversation('a takeover publishes the will of the older connection', { 4: '[MQTT-3.1.2-8]' }, async (level) => {
  const topic = uniqueName();
  const clientId = uniqueName();
  const subscriber = await subscribed(level, topic);
  await connected(level, { clientId, will: willTo(topic) });
  await connected(level, { clientId });
  await receive(subscriber, { topic, payload: 'gone' });
});

conversation(
  'a will of QoS 2 or with retain is accepted, or refused by a broker that says it cannot',
  { 5: '[MQTT-3.2.2-12] [MQTT-3.2.2-13]' },
  async (level) => {
    const { connack } = await connectedWith(level);
    const { maximumQos = 2, retainAvailable = 1 } = connack.properties;
    const cases = [
      { will: willTo(uniqueName(), { qos: 2 }), isServed: maximumQos >= 2, code: 0x9b },
      { will: willTo(uniqueName(), { retain: true }), isServed: retainAvailable === 1, code: 0x9a },
    ];
    for (const { will, isServed, code } of cases) {
      const client = await open(level);
      client.send(connectPacket(level, { will }));
      if (isServed) await client.expectPacket({ type: 'connack', reasonCode: 0 });
      else await expectRefused(client, [code]);
    }
  },
);

conversation(
  'a will with wildcards in its topic is refused or never published',
  { 5: '[MQTT-4.7.0-1]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await connected(level);
    await subscribe(subscriber, `${topic}/#`);
    const client = await open(level);
    client.send(connectPacket(level, { will: willTo('x') }));
    await client.expect('connack');
    const wrong = await open(level);
    const payload = Buffer.concat([prefixed(uniqueName()), hex('00'), prefixed(`${topic}/#`), prefixed('gone')]);
    wrong.send(rawConnect({ level, flags: 0x06, payload }));
    await expectRefused(wrong, [0x81, 0x82, 0x90]);
    await publish(client, { topic: `${topic}/marker`, payload: 'marker' });
    await receive(subscriber, { topic: `${topic}/marker` });
  },
);
