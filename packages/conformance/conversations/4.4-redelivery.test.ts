import { connected, expectOnlyMarker, publish, subscribed } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { ackPacket, durable, publishPacket, uniqueName } from '../src/packets-to-send.ts';

conversation(
  'unacknowledged messages and PUBRELs are sent again in their order when the session is taken up, and only then',
  {
    4: '[MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-4.6.0-4]',
    5: '[MQTT-4.4.0-1] [MQTT-4.6.0-5]',
  },
  async (level) => {
    const topic = uniqueName();
    const clientId = uniqueName();
    const subscriber = await subscribed(level, { filter: topic, qos: 2 }, durable(level, { clientId }));
    const publisher = await connected(level);
    const identifiers: number[] = [];
    for (const [count, qos] of ([1, 2, 2, 1, 2] as const).entries()) {
      await publish(publisher, { topic, qos, payload: `${count}` });
      const packet = await subscriber.expectPacket({
        type: 'publish',
        qos,
        dup: false,
        payload: Buffer.from(`${count}`),
      });
      identifiers.push(packet.packetId);
    }
    // The third is received, the others are not acknowledged at all; nothing is sent again meanwhile.
    subscriber.send(ackPacket('pubrec', identifiers[2]));
    await subscriber.expectPacket({ type: 'pubrel', packetId: identifiers[2] });
    await subscriber.expectNothing();
    await subscriber.drop();
    const again = await connected(level, durable(level, { clientId }));
    const messages: string[] = [];
    let releases = 0;
    for (let count = 0; count < 5; count += 1) {
      const packet = await again.next();
      if (packet.type === 'pubrel' && packet.packetId === identifiers[2]) releases += 1;
      if (packet.type === 'publish' && packet.dup) messages.push(`${packet.packetId}:${packet.payload}`);
    }
    const expected = [0, 1, 3, 4].map((count) => `${identifiers[count]}:${count}`);
    if (releases !== 1 || messages.join() !== expected.join()) {
      throw new Error(`expected ${expected} and one PUBREL, got ${messages} and ${releases}${again.transcript()}`);
    }
    await again.expectNothing();
  },
);

conversation('a message answered with 0x80 or above is not sent again', { 5: '[MQTT-4.4.0-2]' }, async (level) => {
  const topic = uniqueName();
  const clientId = uniqueName();
  const subscriber = await subscribed(level, { filter: topic, qos: 2 }, durable(level, { clientId }));
  const publisher = await connected(level);
  await publish(publisher, { topic, qos: 1, payload: 'one' });
  await publish(publisher, { topic, qos: 2, payload: 'two' });
  const one = await subscriber.expectPacket({ type: 'publish', qos: 1 });
  const two = await subscriber.expectPacket({ type: 'publish', qos: 2 });
  subscriber.send(ackPacket('puback', one.packetId, 0x80), ackPacket('pubrec', two.packetId, 0x99));
  await subscriber.expectNothing();
  await subscriber.drop();
  const again = await connected(level, durable(level, { clientId }));
  await expectOnlyMarker(again, publisher, topic);
});

conversation(
  'PUBACKs, PUBRECs and PUBCOMPs of the broker come in the order of the messages',
  { 4: '[MQTT-4.6.0-2] [MQTT-4.6.0-3]' },
  async (level) => {
    const topic = uniqueName();
    const client = await connected(level);
    for (const [qos, answer] of [
      [1, 'puback'],
      [2, 'pubrec'],
    ] as const) {
      for (let packetId = 1; packetId <= 50; packetId += 1) client.send(publishPacket({ topic, qos, packetId }));
      for (let packetId = 1; packetId <= 50; packetId += 1) await client.expectPacket({ type: answer, packetId });
    }
    for (let packetId = 1; packetId <= 50; packetId += 1) client.send(ackPacket('pubrel', packetId));
    for (let packetId = 1; packetId <= 50; packetId += 1) await client.expectPacket({ type: 'pubcomp', packetId });
  },
);

conversation('PUBRELs of the broker come in the order of the PUBRECs', { 4: '[MQTT-4.6.0-4]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, { filter: topic, qos: 2 });
  const publisher = await connected(level);
  const identifiers: number[] = [];
  for (let count = 0; count < 10; count += 1) {
    await publish(publisher, { topic, qos: 2 });
    identifiers.push((await subscriber.expect('publish')).packetId);
  }
  identifiers.reverse();
  for (const packetId of identifiers) subscriber.send(ackPacket('pubrec', packetId));
  for (const packetId of identifiers) await subscriber.expectPacket({ type: 'pubrel', packetId });
});
