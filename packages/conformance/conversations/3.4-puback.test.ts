import { hex, prefixed, properties, rawPacket, uint16 } from '@dunlin/testkit';
import { expect } from 'vitest';
import { connected, expectDisconnected, publish, subscribed } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { ackPacket, publishPacket, uniqueName } from '../src/packets-to-send.ts';

/** A client so narrow that no reason string fits into an answer. */
const narrow = { properties: { maximumPacketSize: 24 } };

conversation('PUBACK has a reason code of its table', { 5: '[MQTT-3.4.2-1]' }, async (level) => {
  const topic = uniqueName();
  const client = await connected(level);
  client.send(publishPacket({ topic, qos: 1, packetId: 1 }));
  const alone = await client.expectPacket({ type: 'puback', packetId: 1 });
  expect(alone.reasonCode).toBeOneOf([0x00, 0x10]);
  await subscribed(level, topic);
  client.send(publishPacket({ topic, qos: 1, packetId: 2 }));
  await client.expectPacket({ type: 'puback', packetId: 2, reasonCode: 0 });
  client.send(publishPacket({ topic: `$SYS/${topic}`, qos: 1, packetId: 3 }));
  // Decoding checks the code against the table; closing with DISCONNECT is allowed too.
  expect((await client.next()).type).toBeOneOf(['puback', 'disconnect']);
});

conversation(
  'PUBACK fits the maximum packet size of the client',
  { 5: '[MQTT-3.4.2-2] [MQTT-3.4.2-3]' },
  async (level) => {
    const client = await connected(level, narrow);
    for (const topic of [uniqueName(), `$SYS/${uniqueName()}`]) {
      client.send(publishPacket({ topic, qos: 1 }));
      const { bytes } = await client.nextFrame();
      expect(bytes.length).toBeLessThanOrEqual(24);
    }
  },
);

conversation(
  'without request problem information PUBACK, PUBREC, PUBCOMP, SUBACK and UNSUBACK explain nothing',
  { 5: '[MQTT-3.1.2-29]' },
  async (level) => {
    const topic = uniqueName();
    const client = await connected(level, { properties: { requestProblemInformation: 0 } });
    client.send(
      publishPacket({ topic, qos: 1, packetId: 1 }),
      publishPacket({ topic, qos: 2, packetId: 2 }),
      ackPacket('pubrel', 2),
      ackPacket('pubrel', 99),
      rawPacket(0x82, uint16(3), properties(), prefixed('$share//bad'), hex('00')),
      rawPacket(0xa2, uint16(4), properties(), prefixed(topic)),
    );
    for (let count = 0; count < 6; count += 1) {
      const packet = await client.next();
      if (packet.type === 'disconnect') break;
      const explained = 'properties' in packet ? packet.properties : null;
      expect(explained?.reasonString).toBeUndefined();
      expect(explained?.userProperties).toBeUndefined();
    }
  },
);

conversation(
  'a PUBACK with a reason code that does not exist closes the connection',
  { 5: '[MQTT-3.4.2-1] [MQTT-4.13.1-1]' },
  async (level) => {
    const topic = uniqueName();
    const client = await subscribed(level, { filter: topic, qos: 1 });
    await publish(await connected(level), { topic, qos: 1 });
    const { packetId } = await client.expect('publish');
    client.send(rawPacket(0x40, uint16(packetId), hex('05')));
    await expectDisconnected(client, 0x81, 0x82);
  },
);

conversation('a PUBACK for nothing does no harm', { 4: '', 5: '' }, async (level) => {
  const client = await connected(level);
  client.send(ackPacket('puback', 4_711));
  await client.expectNothing();
});
