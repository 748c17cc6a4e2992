import { hex, prefixed, properties, rawPacket, uint16 } from '@dunlin/testkit';
import { expect } from 'vitest';
import {
  connected,
  connectedWith,
  expectDisconnected,
  expectOnlyMarker,
  publish,
  receive,
  subscribe,
  subscribed,
} from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { publishPacket, subscribePacket, uniqueName } from '../src/packets-to-send.ts';

const none = (level: number) => (level === 5 ? [properties()] : []);

for (const firstByte of [0x80, 0x83, 0x8f]) {
  conversation(
    `SUBSCRIBE with first byte 0x${firstByte.toString(16)} closes the connection`,
    { 4: '[MQTT-3.8.1-1]', 5: '[MQTT-3.8.1-1]' },
    async (level) => {
      const client = await connected(level);
      client.send(rawPacket(firstByte, uint16(1), ...none(level), prefixed(uniqueName()), hex('00')));
      await expectDisconnected(client, 0x81);
    },
  );
}

conversation(
  'SUBSCRIBE without a filter closes the connection',
  { 4: '[MQTT-3.8.3-3]', 5: '[MQTT-3.8.3-2]' },
  async (level) => {
    const client = await connected(level);
    client.send(rawPacket(0x82, uint16(1), ...none(level)));
    await expectDisconnected(client, 0x82, 0x81);
  },
);

conversation(
  'SUBSCRIBE that ends before the options of its last filter closes the connection',
  { 4: '[MQTT-3.8.3-3]', 5: '[MQTT-3.8.3-2]' },
  async (level) => {
    const client = await connected(level);
    client.send(rawPacket(0x82, uint16(1), ...none(level), prefixed('a'), hex('00'), prefixed('b')));
    await expectDisconnected(client, 0x81, 0x82);
  },
);

/** Options of a filter that are malformed, by version. */
const wrongOptions: readonly [string, number, string | undefined, string][] = [
  ['reserved bit 7', 0x80, '[MQTT-3.8.3-4]', '[MQTT-3.8.3-5]'],
  ['reserved bit 6', 0x40, '[MQTT-3.8.3-4]', '[MQTT-3.8.3-5]'],
  ['retain handling 3', 0x30, '[MQTT-3.8.3-4]', '[MQTT-4.13.1-1]'],
  ['QoS 3', 0x03, '[MQTT-3.8.3-4]', '[MQTT-4.13.1-1]'],
];

for (const [says, options, for311, for5] of wrongOptions) {
  conversation(`${says} in the options of a filter closes the connection`, { 4: for311, 5: for5 }, async (level) => {
    const client = await connected(level);
    client.send(rawPacket(0x82, uint16(1), ...none(level), prefixed(uniqueName()), Buffer.from([options])));
    await expectDisconnected(client, 0x81, 0x82);
  });
}

conversation('with no local a client does not get what it published', { 5: '[MQTT-3.8.3-3]' }, async (level) => {
  const topic = uniqueName();
  const client = await subscribed(level, [{ filter: topic, noLocal: true }, { filter: `${topic}/marker` }]);
  await publish(client, { topic, payload: 'own' });
  client.send(publishPacket({ topic: `${topic}/marker` }));
  await receive(client, { topic: `${topic}/marker` });
  await publish(await connected(level), { topic, payload: 'of another' });
  await receive(client, { topic, payload: 'of another' });
});

conversation('no local on a shared subscription closes the connection', { 5: '[MQTT-3.8.3-4]' }, async (level) => {
  const client = await connected(level);
  client.send(subscribePacket([{ filter: `$share/g/${uniqueName()}`, noLocal: true }]));
  await expectDisconnected(client, 0x82);
});

conversation('subscription identifier 0 closes the connection', { 5: '[MQTT-4.13.1-1]' }, async (level) => {
  const client = await connected(level);
  client.send(rawPacket(0x82, uint16(1), properties(hex('0b 00')), prefixed(uniqueName()), hex('00')));
  await expectDisconnected(client, 0x82, 0x81);
});

conversation('filters with wildcards are served or refused', { 4: '[MQTT-3.8.3-2]' }, async (level) => {
  const topic = uniqueName();
  const client = await connected(level);
  client.send(subscribePacket([{ filter: `${topic}/+` }, { filter: `${topic}/#` }]));
  const { reasonCodes } = await client.expect('suback');
  if (reasonCodes.every((code) => code === 0x80)) return;
  expect(reasonCodes).toEqual([0, 0]);
  await publish(await connected(level), { topic: `${topic}/a`, payload: 'x' });
  await receive(client, { topic: `${topic}/a`, payload: 'x' });
});

conversation(
  'SUBSCRIBE is answered with SUBACK, and what is published after it arrives',
  { 4: '[MQTT-3.8.4-1]', 5: '[MQTT-3.8.4-1]' },
  async (level) => {
    const topic = uniqueName();
    const { client } = await connectedWith(level);
    client.send(subscribePacket([{ filter: topic, qos: 1 }], 12));
    await client.expectPacket({ type: 'suback', packetId: 12, reasonCodes: [1] });
    await publish(await connected(level), { topic, qos: 1 });
    await receive(client, { topic });
  },
);

conversation(
  'subscribing again replaces the subscription, sends retained messages again and loses nothing',
  { 4: '[MQTT-3.8.4-3]', 5: '[MQTT-3.8.4-3] [MQTT-3.8.4-4]' },
  async (level) => {
    const topic = uniqueName();
    const publisher = await connected(level);
    await publish(publisher, { topic, retain: true, qos: 1, payload: 'kept' });
    const subscriber = await subscribed(level, { filter: topic, qos: 1 });
    await receive(subscriber, { topic, qos: 1, retain: true });
    await subscribe(subscriber, { filter: topic, qos: 0 });
    await receive(subscriber, { topic, qos: 0, retain: true });
    await publish(publisher, { topic, qos: 1, payload: 'once' });
    await receive(subscriber, { topic, qos: 0, payload: 'once' });
    await expectOnlyMarker(subscriber, publisher, topic);
    // Messages published while the subscription is replaced all arrive, in order.
    for (let count = 0; count < 20; count += 1) {
      publisher.send(publishPacket({ topic, payload: `${count}` }));
      subscriber.send(subscribePacket([{ filter: topic, retainHandling: 2 }], 100 + count));
    }
    const seen: string[] = [];
    while (seen.length < 20) {
      const packet = await subscriber.next();
      if (packet.type === 'publish' && !packet.retain) seen.push(packet.payload.toString());
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, count) => `${count}`));
  },
);

conversation(
  'several filters in one SUBSCRIBE act like several SUBSCRIBEs with one SUBACK',
  {
    4: '[MQTT-3.8.4-4] [MQTT-3.8.4-5] [MQTT-3.9.3-1]',
    5: '[MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1]',
  },
  async (level) => {
    const topic = uniqueName();
    const client = await connected(level);
    client.send(
      subscribePacket([
        { filter: `${topic}/2`, qos: 2 },
        { filter: `${topic}/0`, qos: 0 },
        { filter: `${topic}/1`, qos: 1 },
        { filter: `${topic}/1`, qos: 0 },
      ]),
    );
    const { reasonCodes } = await client.expectAmong('suback');
    expect(reasonCodes).toEqual([2, 0, 1, 0]);
    await client.expectNothing();
    const publisher = await connected(level);
    await publish(publisher, { topic: `${topic}/1`, qos: 2 });
    await receive(client, { topic: `${topic}/1`, qos: 0 });
    await publish(publisher, { topic: `${topic}/2`, qos: 2 });
    await receive(client, { topic: `${topic}/2`, qos: 2 });
  },
);

conversation(
  'messages go out at the lower of published and granted QoS',
  { 4: '[MQTT-3.8.4-6]', 5: '[MQTT-3.8.4-8]' },
  async (level) => {
    const publisher = await connected(level);
    for (const granted of [0, 1, 2] as const) {
      const topic = uniqueName();
      const subscriber = await subscribed(level, { filter: topic, qos: granted });
      for (const qos of [0, 1, 2] as const) {
        await publish(publisher, { topic, qos, payload: `${qos}` });
        await receive(subscriber, { topic, qos: Math.min(granted, qos) as 0 | 1 | 2, payload: `${qos}` });
      }
    }
  },
);
