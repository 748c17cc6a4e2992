import { expect } from 'vitest';
import { connected, leave, subscribed } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { ackPacket, durable, publishPacket, uniqueName } from '../src/packets-to-send.ts';

conversation(
  'a message reaches every session whose subscription matches',
  { 4: '[MQTT-4.5.0-1]', 5: '[MQTT-4.5.0-1]' },
  async (level) => {
    const topic = uniqueName();
    const clientId = uniqueName();
    const away = await subscribed(level, { filter: `${topic}/+`, qos: 1 }, durable(level, { clientId }));
    await leave(away);
    const here = await Promise.all(
      [`${topic}/a`, `${topic}/#`, `${topic}/+`].map((filter) => subscribed(level, { filter, qos: 1 })),
    );
    const publisher = await connected(level);
    publisher.send(publishPacket({ topic: `${topic}/a`, qos: 1, payload: 'x' }));
    await publisher.expectPacket({ type: 'puback' });
    here.push(await connected(level, durable(level, { clientId })));
    for (const subscriber of here) await subscriber.expectPacket({ type: 'publish', payload: Buffer.from('x') });
  },
);

for (const qos of [0, 1, 2] as const) {
  conversation(
    `messages of QoS ${qos} on a topic arrive in the order they were sent`,
    { 4: '[MQTT-4.6.0-5] [MQTT-4.6.0-6]', 5: '[MQTT-4.6.0-5] [MQTT-4.6.0-6]' },
    async (level) => {
      const topic = uniqueName();
      const subscribers = await Promise.all([1, 2, 3].map(() => subscribed(level, { filter: topic, qos: 2 })));
      const publisher = await connected(level);
      const count = 200;
      for (let index = 1; index <= count; index += 1) {
        publisher.send(publishPacket({ topic, qos, packetId: qos === 0 ? 0 : index, payload: `${index}` }));
        if (qos === 2) publisher.send(ackPacket('pubrel', index));
      }
      for (const subscriber of subscribers) {
        const seen: number[] = [];
        while (seen.length < count) {
          const packet = await subscriber.next();
          if (packet.type === 'pubrel') subscriber.send(ackPacket('pubcomp', packet.packetId));
          if (packet.type !== 'publish') continue;
          seen.push(Number(packet.payload.toString()));
          if (qos === 1) subscriber.send(ackPacket('puback', packet.packetId));
          if (qos === 2) subscriber.send(ackPacket('pubrec', packet.packetId));
        }
        expect(seen).toEqual(Array.from({ length: count }, (_, index) => index + 1));
      }
    },
  );
}

conversation(
  'messages that waited for a session arrive in the order they were sent',
  { 4: '[MQTT-4.6.0-6]', 5: '[MQTT-4.6.0-5]' },
  async (level) => {
    const topic = uniqueName();
    const clientId = uniqueName();
    await leave(await subscribed(level, { filter: topic, qos: 1 }, durable(level, { clientId })));
    const publisher = await connected(level);
    for (let index = 1; index <= 60; index += 1) {
      publisher.send(publishPacket({ topic, qos: 1, packetId: index, payload: `${index}` }));
    }
    for (let index = 1; index <= 60; index += 1) await publisher.expect('puback');
    const subscriber = await connected(level, durable(level, { clientId }));
    for (let index = 1; index <= 60; index += 1) {
      const packet = await subscriber.expectPacket({ type: 'publish', payload: Buffer.from(`${index}`), dup: false });
      subscriber.send(ackPacket('puback', packet.packetId));
    }
  },
);
