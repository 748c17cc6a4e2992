import { hex, properties, rawPacket } from '@dunlin/testkit';
import { expect } from 'vitest';
import {
  connected,
  connectedWith,
  expectDisconnected,
  expectOnlyMarker,
  leave,
  open,
  publish,
  subscribed,
} from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { connectPacket, disconnectPacket, durable, publishPacket, uniqueName } from '../src/packets-to-send.ts';

conversation('no DISCONNECT comes before CONNACK', { 5: '[MQTT-3.14.0-1]' }, async (level) => {
  for (const first of [hex('c0 00'), hex('00 00'), hex('f0 00'), hex('10 04 00 04 4d 51')]) {
    const client = await open(level);
    client.send(first);
    const kinds = (await client.untilClosed()).map((packet) => packet.type);
    expect(kinds).not.toContain('disconnect');
  }
});

conversation(
  'reserved flags of DISCONNECT are answered with DISCONNECT 0x81 (3.1.1: the end)',
  { 4: '[MQTT-3.14.1-1]', 5: '[MQTT-3.14.1-1]' },
  async (level) => {
    const client = await connected(level);
    client.send(hex('e1 00'));
    await expectDisconnected(client, 0x81);
  },
);

conversation(
  'a DISCONNECT with a code that does not exist closes the connection',
  { 5: '[MQTT-3.14.2-1]' },
  async (level) => {
    const client = await connected(level);
    client.send(hex('e0 01 7f'));
    await expectDisconnected(client, 0x81, 0x82);
  },
);

conversation(
  'a DISCONNECT from the broker has a code of its table and no session expiry interval, and is the last packet',
  { 5: '[MQTT-3.14.2-1] [MQTT-3.14.2-2] [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-4.13.2-1]' },
  async (level) => {
    const clientId = uniqueName();
    const topic = uniqueName();
    const client = await subscribed(level, topic, durable(level, { clientId }));
    const publisher = await connected(level);
    await connected(level, durable(level, { clientId }));
    publisher.send(publishPacket({ topic }));
    const packets = await client.untilClosed();
    for (const [index, packet] of packets.entries()) {
      expect(packet).toMatchObject({ type: 'disconnect', reasonCode: 0x8e });
      expect(index).toBe(packets.length - 1);
      if (packet.type === 'disconnect') expect(packet.properties.sessionExpiryInterval).toBeUndefined();
    }
  },
);

conversation(
  'DISCONNECT fits the maximum packet size of the client',
  { 5: '[MQTT-3.14.2-3] [MQTT-3.14.2-4]' },
  async (level) => {
    const client = await connected(level, { properties: { maximumPacketSize: 24 } });
    client.send(connectPacket(level));
    while (!client.isClosed) {
      const frame = await client.nextFrame().catch(() => undefined);
      if (frame === undefined) break;
      expect(frame.bytes.length).toBeLessThanOrEqual(24);
    }
    await client.expectClosed();
  },
);

conversation(
  'what follows DISCONNECT is not processed',
  { 4: '[MQTT-3.14.4-2]', 5: '[MQTT-3.14.4-1]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, topic);
    const client = await connected(level);
    client.send(disconnectPacket(), publishPacket({ topic, payload: 'after the end' }));
    await client.untilClosed();
    await expectOnlyMarker(subscriber, await connected(level), topic);
  },
);

conversation('DISCONNECT may change the session expiry interval', { 5: '[MQTT-3.1.2-23]' }, async (level) => {
  const clientId = uniqueName();
  const topic = uniqueName();
  const first = await subscribed(level, { filter: topic, qos: 1 }, durable(level, { clientId }));
  await leave(first, disconnectPacket(0, { sessionExpiryInterval: 0 }));
  const { client, connack } = await connectedWith(level, durable(level, { clientId }));
  expect(connack.sessionPresent).toBe(false);
  await leave(client, disconnectPacket(0, { sessionExpiryInterval: 120 }));
  const again = await connectedWith(level, durable(level, { clientId }));
  expect(again.connack.sessionPresent).toBe(true);
});

conversation(
  'a session expiry interval above 0 in DISCONNECT after 0 in CONNECT is a protocol error',
  { 5: '[MQTT-4.13.1-1]' },
  async (level) => {
    const client = await connected(level, { properties: { sessionExpiryInterval: 0 } });
    client.send(rawPacket(0xe0, hex('00'), properties(hex('11 0000003c'))));
    await expectDisconnected(client, 0x82);
  },
);

conversation('DISCONNECT ends the connection', { 4: '[MQTT-3.14.4-1]', 5: '[MQTT-3.14.4-2]' }, async (level) => {
  const topic = uniqueName();
  const client = await subscribed(level, topic);
  await leave(client);
  await publish(await connected(level), { topic });
  await client.expectClosed();
});
