import { expect } from 'vitest';
import { connected, connectedWith, leave, publish, receive, subscribed } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { ackPacket, durable, publishPacket, subscribePacket, uniqueName } from '../src/packets-to-send.ts';

/** The broker's own clock: resolves when its will delay of `seconds` has passed. */
async function brokerClock(seconds: number): Promise<void> {
  const topic = uniqueName();
  const listener = await subscribed(5, topic);
  const client = await connected(
    5,
    durable(5, {
      will: { topic, payload: Buffer.from('now'), qos: 0, retain: false, properties: { willDelayInterval: seconds } },
    }),
  );
  await client.drop();
  await receive(listener, { topic }, seconds * 1_000 + 4_000);
}

conversation('a session ends when its expiry interval is over', { 5: '[MQTT-4.1.0-2]' }, async (level) => {
  const topic = uniqueName();
  const clientId = uniqueName();
  const short = await subscribed(level, topic, {
    clientId,
    cleanStart: false,
    properties: { sessionExpiryInterval: 1 },
  });
  const longId = uniqueName();
  const long = await subscribed(level, topic, durable(level, { clientId: longId }));
  await Promise.all([short.drop(), long.drop()]);
  await brokerClock(3);
  expect((await connectedWith(level, durable(level, { clientId }))).connack.sessionPresent).toBe(false);
  expect((await connectedWith(level, durable(level, { clientId: longId }))).connack.sessionPresent).toBe(true);
});

conversation(
  'without an expiry interval a session ends with its connection',
  { 5: '[MQTT-4.1.0-2]' },
  async (level) => {
    const clientId = uniqueName();
    await leave(await subscribed(level, uniqueName(), { clientId, cleanStart: false }));
    const { connack } = await connectedWith(level, { clientId, cleanStart: false });
    expect(connack.sessionPresent).toBe(false);
  },
);

conversation('a session expires after a drop as after DISCONNECT', { 5: '[MQTT-4.1.0-2]' }, async (level) => {
  const clientId = uniqueName();
  const topic = uniqueName();
  // The will without delay tells that the broker has noticed the drop.
  const listener = await subscribed(level, topic);
  const will = { topic, payload: Buffer.from('gone'), qos: 0 as const, retain: false, properties: {} };
  const client = await subscribed(level, uniqueName(), { clientId, cleanStart: false, will });
  await client.drop();
  await receive(listener, { topic });
  const { connack } = await connectedWith(level, { clientId, cleanStart: false });
  expect(connack.sessionPresent).toBe(false);
});

conversation(
  'a session keeps subscriptions, waiting messages and both halves of QoS 2',
  { 4: '[MQTT-4.1.0-1]', 5: '[MQTT-3.1.2-23] [MQTT-4.1.0-1]' },
  async (level) => {
    const topic = uniqueName();
    const clientId = uniqueName();
    const listener = await subscribed(level, { filter: `${topic}/from`, qos: 2 });
    const other = await connected(level);
    const client = await connected(level, durable(level, { clientId }));
    client.send(subscribePacket([{ filter: `${topic}/to`, qos: 2 }], 1, level === 5 ? 42 : 0));
    await client.expectPacket({ type: 'suback' });
    // One message half way in, one half way out.
    client.send(publishPacket({ topic: `${topic}/from`, qos: 2, packetId: 5, payload: 'in' }));
    await client.expectPacket({ type: 'pubrec', packetId: 5 });
    await publish(other, { topic: `${topic}/to`, qos: 2, payload: 'out' });
    const { packetId } = await client.expectPacket({ type: 'publish', payload: Buffer.from('out') });
    client.send(ackPacket('pubrec', packetId));
    await client.expectPacket({ type: 'pubrel', packetId });
    await client.drop();
    await publish(other, { topic: `${topic}/to`, qos: 1, payload: 'while away' });
    const { client: again, connack } = await connectedWith(level, durable(level, { clientId }));
    expect(connack.sessionPresent).toBe(true);
    await again.expectPacket({ type: 'pubrel', packetId });
    const away = await again.expectPacket({ type: 'publish', payload: Buffer.from('while away'), qos: 1 });
    if (level === 5) expect(away.properties.subscriptionIdentifier).toEqual([42]);
    again.send(ackPacket('pubcomp', packetId), ackPacket('puback', away.packetId));
    again.send(publishPacket({ topic: `${topic}/from`, qos: 2, packetId: 5, dup: true, payload: 'in' }));
    await again.expectPacket({ type: 'pubrec', packetId: 5 });
    again.send(ackPacket('pubrel', 5));
    await again.expectPacket({ type: 'pubcomp', packetId: 5 });
    await receive(listener, { payload: 'in', qos: 2 });
    await listener.expectNothing();
  },
);
