import { hex, prefixed, properties, rawPacket, uint16 } from '@dunlin/testkit';
import {
  connected,
  expectDisconnected,
  expectOnlyMarker,
  publish,
  receive,
  subscribed,
} from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { ackPacket, uniqueName, unsubscribePacket } from '../src/packets-to-send.ts';

const none = (level: number) => (level === 5 ? [properties()] : []);

for (const firstByte of [0xa0, 0xa3, 0xaf]) {
  conversation(
    `UNSUBSCRIBE with first byte 0x${firstByte.toString(16)} closes the connection`,
    { 4: '[MQTT-3.10.1-1]', 5: '[MQTT-3.10.1-1]' },
    async (level) => {
      const client = await connected(level);
      client.send(rawPacket(firstByte, uint16(1), ...none(level), prefixed(uniqueName())));
      await expectDisconnected(client, 0x81);
    },
  );
}

conversation(
  'UNSUBSCRIBE without a filter closes the connection',
  { 4: '[MQTT-3.10.3-2]', 5: '[MQTT-3.10.3-2]' },
  async (level) => {
    const client = await connected(level);
    client.send(rawPacket(0xa2, uint16(1), ...none(level)));
    await expectDisconnected(client, 0x82, 0x81);
  },
);

conversation(
  'UNSUBSCRIBE ends exactly the subscription with its filter',
  {
    4: '[MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-4]',
    5: '[MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-4]',
  },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, [{ filter: `${topic}/+` }, { filter: `${topic}/a/#` }]);
    const publisher = await connected(level);
    // None of these is a filter it holds, though each matches what one of them matches.
    subscriber.send(unsubscribePacket([`${topic}/a`, `${topic}/#`, `${topic}/A`], 2));
    await subscriber.expectPacket({ type: 'unsuback', packetId: 2 });
    await publish(publisher, { topic: `${topic}/b`, payload: 'still there' });
    await receive(subscriber, { topic: `${topic}/b`, payload: 'still there' });
    subscriber.send(unsubscribePacket([`${topic}/+`], 3));
    await subscriber.expectPacket({ type: 'unsuback', packetId: 3 });
    await publish(publisher, { topic: `${topic}/b`, payload: 'gone' });
    await expectOnlyMarker(subscriber, publisher, `${topic}/a/c`);
  },
);

conversation(
  'a delivery that began before UNSUBSCRIBE is completed',
  { 4: '[MQTT-3.10.4-3]', 5: '[MQTT-3.10.4-3]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, { filter: topic, qos: 2 });
    await publish(await connected(level), { topic, qos: 2 });
    const { packetId } = await subscriber.expect('publish');
    subscriber.send(unsubscribePacket([topic], 2));
    await subscriber.expectPacket({ type: 'unsuback', packetId: 2 });
    subscriber.send(ackPacket('pubrec', packetId));
    await subscriber.expectPacket({ type: 'pubrel', packetId });
    subscriber.send(ackPacket('pubcomp', packetId));
    await subscriber.expectNothing();
  },
);

conversation(
  'UNSUBSCRIBE of a filter that is not there is answered too',
  { 4: '[MQTT-3.10.4-5]', 5: '[MQTT-3.10.4-5]' },
  async (level) => {
    const client = await connected(level);
    client.send(unsubscribePacket([uniqueName()], 65_535));
    await client.expectPacket({ type: 'unsuback', packetId: 65_535 });
  },
);

conversation(
  'several filters in one UNSUBSCRIBE get one UNSUBACK',
  { 4: '[MQTT-3.10.4-6]', 5: '[MQTT-3.10.4-6]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, [
      { filter: `${topic}/a` },
      { filter: `${topic}/b` },
      { filter: `${topic}/c` },
    ]);
    subscriber.send(unsubscribePacket([`${topic}/a`, `${topic}/none`, `${topic}/c`], 2));
    await subscriber.expectPacket({ type: 'unsuback', packetId: 2 });
    await subscriber.expectNothing();
    const publisher = await connected(level);
    await publish(publisher, { topic: `${topic}/a` });
    await publish(publisher, { topic: `${topic}/c` });
    await expectOnlyMarker(subscriber, publisher, `${topic}/b`);
  },
);

conversation(
  'an UNSUBSCRIBE that ends inside a filter closes the connection',
  { 4: '[MQTT-4.8.0-1]', 5: '[MQTT-4.13.1-1]' },
  async (level) => {
    const client = await connected(level);
    client.send(rawPacket(0xa2, uint16(1), ...none(level), hex('00 05 61 62')));
    await expectDisconnected(client, 0x81, 0x82);
  },
);
