import { expect } from 'vitest';
import {
  connected,
  expectOnlyMarker,
  leave,
  publish,
  receive,
  subscribe,
  subscribed,
} from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import {
  ackPacket,
  disconnectPacket,
  durable,
  publishPacket,
  subscribePacket,
  uniqueName,
} from '../src/packets-to-send.ts';

for (const filter of [
  '$share//a',
  '$share/+/a',
  '$share/#/a',
  '$share/a#b/c',
  '$share/g',
  '$share/g/',
  '$share/g/a#',
]) {
  conversation(
    `the shared filter ${filter} is refused`,
    { 5: /^\$share\/(\/|g)/.test(filter) ? '[MQTT-4.8.2-1] [MQTT-4.8.2-2]' : '[MQTT-4.8.2-2]' },
    async (level) => {
      const client = await connected(level);
      client.send(subscribePacket([{ filter }]));
      const packet = await client.next();
      if (packet.type === 'suback') {
        expect(packet.reasonCodes[0]).toBeOneOf([0x8f, 0x80]);
        return;
      }
      expect(packet.type).toBe('disconnect');
      await client.expectClosed();
    },
  );
}

conversation('each message goes to one member of the group', { 5: '[MQTT-4.8.2-1]' }, async (level) => {
  const topic = uniqueName();
  const filter = `$share/${uniqueName()}/${topic}/#`;
  const members = await Promise.all([1, 2, 3].map(() => subscribed(level, { filter, qos: 1 })));
  for (const member of members) await subscribe(member, `${topic}-marker`);
  const publisher = await connected(level);
  for (let count = 0; count < 30; count += 1) {
    await publish(publisher, { topic: `${topic}/a`, qos: 1, payload: `${count}` });
  }
  await publish(publisher, { topic: `${topic}-marker`, qos: 1 });
  const seen: string[] = [];
  for (const member of members) {
    for (;;) {
      const packet = await receive(member, {});
      if (packet.topic !== `${topic}/a`) break;
      seen.push(packet.payload.toString());
    }
  }
  expect(seen.map(Number).sort((left, right) => left - right)).toEqual(Array.from({ length: 30 }, (_, count) => count));
});

conversation('groups and plain subscriptions each get their copy', { 5: '[MQTT-4.8.2-1]' }, async (level) => {
  const topic = uniqueName();
  const clients = await Promise.all(
    [`$share/a/${topic}`, `$share/b/${topic}`, topic].map((filter) => subscribed(level, filter)),
  );
  await publish(await connected(level), { topic, payload: 'x' });
  for (const client of clients) await receive(client, { topic, payload: 'x' });
});

conversation('shared deliveries respect the granted QoS of the member', { 5: '[MQTT-4.8.2-3]' }, async (level) => {
  const topic = uniqueName();
  const publisher = await connected(level);
  for (const granted of [0, 1, 2] as const) {
    const member = await subscribed(level, { filter: `$share/g${granted}/${topic}`, qos: granted });
    await publish(publisher, { topic, qos: 2, payload: 'x' });
    await receive(member, { topic, qos: granted });
    await leave(member);
  }
});

conversation('a shared subscription gets no retained messages', { 5: '' }, async (level) => {
  const topic = uniqueName();
  const publisher = await connected(level);
  await publish(publisher, { topic, retain: true, qos: 1, payload: 'kept' });
  const member = await subscribed(level, `$share/g/${topic}`);
  await expectOnlyMarker(member, publisher, topic);
});

conversation(
  'a shared QoS 2 delivery that was cut off is completed with the same client',
  { 5: '[MQTT-4.8.2-4]' },
  async (level) => {
    const topic = uniqueName();
    const filter = `$share/g/${topic}`;
    const clientId = uniqueName();
    const first = await subscribed(level, { filter, qos: 2 }, durable(level, { clientId }));
    const publisher = await connected(level);
    await publish(publisher, { topic, qos: 2, payload: 'x' });
    const { packetId } = await first.expectPacket({ type: 'publish', qos: 2, payload: Buffer.from('x') });
    const second = await subscribed(level, { filter, qos: 2 });
    await first.drop();
    const again = await connected(level, durable(level, { clientId }));
    await again.expectPacket({ type: 'publish', qos: 2, dup: true, packetId });
    again.send(ackPacket('pubrec', packetId));
    await again.expectPacket({ type: 'pubrel', packetId });
    again.send(ackPacket('pubcomp', packetId));
    await second.expectNothing();
  },
);

conversation(
  'when the session of the member ends, its QoS 2 message goes to no other',
  { 5: '[MQTT-4.8.2-5]' },
  async (level) => {
    const topic = uniqueName();
    const filter = `$share/g/${topic}`;
    const first = await subscribed(level, { filter, qos: 2 }, durable(level));
    const publisher = await connected(level);
    await publish(publisher, { topic, qos: 2, payload: 'never again' });
    await first.expectPacket({ type: 'publish', qos: 2 });
    const second = await subscribed(level, { filter, qos: 2 });
    await leave(first, disconnectPacket(0, { sessionExpiryInterval: 0 }));
    await expectOnlyMarker(second, publisher, topic);
  },
);

conversation(
  'a shared message answered with 0x80 or above goes to no other member',
  { 5: '[MQTT-4.8.2-6]' },
  async (level) => {
    const topic = uniqueName();
    const filter = `$share/g/${topic}`;
    const publisher = await connected(level);
    const first = await subscribed(level, { filter, qos: 2 });
    for (const qos of [1, 2] as const) {
      await publish(publisher, { topic, qos, payload: 'refused' });
      const { packetId } = await first.expectPacket({ type: 'publish', qos });
      first.send(ackPacket(qos === 1 ? 'puback' : 'pubrec', packetId, 0x83));
      await first.expectNothing();
    }
    const second = await subscribed(level, { filter, qos: 2 });
    await leave(first);
    await expectOnlyMarker(second, publisher, topic);
  },
);

conversation(
  'a message for a shared and a plain subscription of one client carries what it needs',
  { 5: '[MQTT-3.3.4-3]' },
  async (level) => {
    const topic = uniqueName();
    const client = await connected(level);
    await subscribe(client, { filter: `$share/g/${topic}` }, 5);
    await subscribe(client, { filter: topic }, 6);
    client.send(publishPacket({ topic, payload: 'x' }));
    const identifiers: number[] = [];
    while (identifiers.length < 2) {
      const packet = await client.expect('publish');
      identifiers.push(...(packet.properties.subscriptionIdentifier ?? []));
    }
    expect(identifiers.sort()).toEqual([5, 6]);
  },
);
