import { hex, prefixed, rawConnect } from '@dunlin/testkit';
import { expect } from 'vitest';
import { connected, connectedWith, expectRefused, open, publish, subscribed } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import {
  connectPacket,
  durable,
  publishPacket,
  subscribePacket,
  uniqueName,
  unsubscribePacket,
} from '../src/packets-to-send.ts';

conversation(
  'CONNACK is the first packet, and its flags but session present are 0',
  { 4: '[MQTT-3.2.0-1]', 5: '[MQTT-3.2.0-1] [MQTT-3.2.2-1]' },
  async (level) => {
    const clientId = uniqueName();
    for (const [count, flags] of [
      [1, 0],
      [2, 1],
    ]) {
      const client = await open(level);
      client.send(connectPacket(level, durable(level, { clientId })));
      const frame = await client.nextFrame();
      expect([count, frame.firstByte, frame.body[0], frame.body[1]]).toEqual([count, 0x20, flags, 0]);
      await client.expectNothing();
    }
  },
);

conversation('queued messages come after CONNACK', { 4: '[MQTT-3.2.0-1]', 5: '[MQTT-3.2.0-1]' }, async (level) => {
  const topic = uniqueName();
  const clientId = uniqueName();
  const old = await subscribed(level, { filter: topic, qos: 1 }, durable(level, { clientId }));
  await old.drop();
  await publish(await connected(level), { topic, qos: 1 });
  const client = await open(level);
  client.send(connectPacket(level, durable(level, { clientId })));
  await client.expectPacket({ type: 'connack', sessionPresent: true });
  await client.expectPacket({ type: 'publish', topic });
});

conversation('one connection sees one CONNACK', { 5: '[MQTT-3.2.0-2]' }, async (level) => {
  const topic = uniqueName();
  const client = await subscribed(level, topic);
  client.send(
    publishPacket({ topic, qos: 1 }),
    subscribePacket([{ filter: `${topic}/other` }]),
    unsubscribePacket([`${topic}/none`], 2),
    hex('c0 00'),
  );
  const kinds = [];
  for (let count = 0; count < 5; count += 1) kinds.push((await client.next()).type);
  expect(kinds.sort()).toEqual(['pingresp', 'puback', 'publish', 'suback', 'unsuback']);
  await client.expectNothing();
});

conversation(
  'a CONNACK that refuses has session present 0 and a code of its table, and the connection is closed',
  { 5: '[MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.2.2-8] [MQTT-4.13.2-1]' },
  async (level) => {
    const clientId = uniqueName();
    // There is a session, and still none is present in a refusal.
    await connected(level, durable(level, { clientId }));
    const client = await open(level);
    const properties = Buffer.concat([hex('15'), prefixed('no such method')]);
    client.send(rawConnect({ level, flags: 0, properties, payload: prefixed(clientId) }));
    await expectRefused(client, [0x8c, 0x87]);
  },
);

conversation('QoS 1 and 2 are served, or maximum QoS says which are not', { 5: '[MQTT-3.2.2-9]' }, async (level) => {
  const { client, connack } = await connectedWith(level);
  const { maximumQos = 2 } = connack.properties;
  if (maximumQos >= 1) await publish(client, { topic: uniqueName(), qos: 1 });
  if (maximumQos >= 2) await publish(client, { topic: uniqueName(), qos: 2 });
  expect(maximumQos).toBeOneOf([0, 1, 2]);
});

conversation('subscriptions of every QoS are accepted', { 5: '[MQTT-3.2.2-10]' }, async (level) => {
  const client = await connected(level);
  const filters = [0, 1, 2].map((qos) => ({ filter: `${uniqueName()}/${qos}`, qos: qos as 0 | 1 | 2 }));
  client.send(subscribePacket(filters));
  const { reasonCodes } = await client.expect('suback');
  for (const code of reasonCodes) expect(code).toBeLessThan(0x80);
});

conversation(
  'CONNACK fits the maximum packet size of the client',
  { 5: '[MQTT-3.2.2-19] [MQTT-3.2.2-20]' },
  async (level) => {
    for (const maximumPacketSize of [20, 40]) {
      const client = await open(level);
      const properties = Buffer.concat([
        hex('27 000000'),
        Buffer.from([maximumPacketSize]),
        hex('15'),
        prefixed('no such method'),
      ]);
      client.send(rawConnect({ level, properties, payload: prefixed(uniqueName()) }));
      await client.expectClosed().catch(async () => {
        const { bytes } = await client.nextFrame();
        expect(bytes.length).toBeLessThanOrEqual(maximumPacketSize);
        await client.expectClosed();
      });
    }
  },
);

conversation('response information comes only when asked for', { 5: '[MQTT-3.1.2-28]' }, async (level) => {
  for (const properties of [{}, { requestResponseInformation: 0 }]) {
    const { connack } = await connectedWith(level, { properties });
    expect(connack.properties.responseInformation).toBeUndefined();
  }
});

conversation(
  'a client without authentication method gets none and no AUTH',
  { 5: '[MQTT-4.12.0-6]' },
  async (level) => {
    const { client, connack } = await connectedWith(level);
    expect(connack.properties.authenticationMethod).toBeUndefined();
    expect(connack.properties.authenticationData).toBeUndefined();
    await client.expectNothing();
  },
);
